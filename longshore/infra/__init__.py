"""Infrastructure: Terraform, its saved plan, its state and its outputs."""
