"""What a deployment to AWS needs, each looked at before anything is made."""
