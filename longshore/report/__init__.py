"""What a run left for people and programs to read: report.json, and index.html made from it."""
