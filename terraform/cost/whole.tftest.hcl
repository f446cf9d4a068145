# Not a test: `invoke infra.cost` runs it for the plan that it prints, of a whole environment in a made-up AWS.
mock_provider "aws" {
  source = "./tests/mocks"
}

run "whole" {
  command = plan
}
