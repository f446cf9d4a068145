"""The local AWS: moto's server, with what Terraform's provider and EKS clients need and moto lacks.

There is one module per service that we patch; `server` answers requests, `inputs` refuses what AWS would refuse,
`state` keeps everything across restarts, `authenticator` verifies EKS tokens for the real API server. IAM policies are
stored and not enforced.
"""
