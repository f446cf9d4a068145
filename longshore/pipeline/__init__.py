"""The pipeline: its jobs, and their renderings for GitLab and GitHub."""
