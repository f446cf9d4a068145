"""The local AWS: moto's server with what Terraform's provider and EKS clients need and moto lacks.

One module per service holds what is mended there; `server` answers requests, `inputs` refuses what AWS would refuse, `state` keeps
everything over a restart, `authenticator` lets the real API server trust EKS tokens. IAM policies are stored and not enforced.
"""
