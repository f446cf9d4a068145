# What the mock provider can't make up: values that other arguments are built from or checked against.

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
}

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_route53_zone" {
  defaults = {
    zone_id      = "Z0123456789ABCDEFGHIJ"
    name         = "example.com"
    private_zone = false
    name_servers = ["ns-1.awsdns-00.com"]
  }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_resource "aws_acm_certificate" {
  override_during = plan

  defaults = {
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"

    domain_validation_options = [
      {
        domain_name           = "shop.example.com"
        resource_record_name  = "_x.shop.example.com."
        resource_record_type  = "CNAME"
        resource_record_value = "_y.acm-validations.aws."
      },
    ]
  }
}

# The account has no cluster yet; a run overrides this for one that has.
mock_data "aws_eks_clusters" {
  defaults = { names = [] }
}
