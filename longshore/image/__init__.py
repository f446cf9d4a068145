"""The image: what it is built from, its build, its layers."""
