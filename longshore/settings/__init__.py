"""The only reader of longshore.toml and of the environment variables."""
