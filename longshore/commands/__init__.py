"""What is run: each program's argv as data. Nothing happens in this room."""
