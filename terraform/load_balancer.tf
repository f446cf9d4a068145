resource "aws_lb" "this" {
  name                       = local.short_name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = aws_subnet.public[*].id
  security_groups            = [aws_security_group.alb.id]
  enable_deletion_protection = var.deletion_protection
  drop_invalid_header_fields = true
  idle_timeout               = 60

  access_logs {
    bucket  = aws_s3_bucket.alb_logs.id
    prefix  = "alb"
    enabled = true
  }

  # One for the internet is refused before its VPC has a gateway.
  depends_on = [aws_s3_bucket_policy.alb_logs, aws_internet_gateway.this]

  # A load balancer cannot move to another VPC, and keeps the old one from being deleted.
  lifecycle {
    replace_triggered_by = [aws_vpc.this.id]
  }
}

resource "aws_lb_target_group" "app" {
  name_prefix          = "app-" # another port is another group, created before the listener leaves the old one
  vpc_id               = aws_vpc.this.id
  target_type          = "instance"
  protocol             = "HTTP"
  port                 = var.node_port
  deregistration_delay = 60

  health_check {
    path                = var.health_path
    matcher             = "200-499" # a pod of before the path was another one is well, too; one that drains answers 503
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  tags = { Name = "${local.name}-app" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_autoscaling_attachment" "nodes" {
  autoscaling_group_name = aws_eks_node_group.main.resources[0].autoscaling_groups[0].name
  lb_target_group_arn    = aws_lb_target_group.app.arn
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = var.http_port
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = tostring(var.https_port)
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = var.https_port
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app.arn
  }
}

resource "aws_route53_record" "app" {
  for_each = toset(concat(local.host_names, local.review_hosts))

  zone_id = local.zone_id
  name    = each.key
  type    = "A"

  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}

# --- WAF --------------------------------------------------------------------

locals {
  waf_groups = {
    AWSManagedRulesAmazonIpReputationList = 10
    AWSManagedRulesCommonRuleSet          = 20
    AWSManagedRulesKnownBadInputsRuleSet  = 30
  }
}

# Who may reach the cluster, and so deploys and tests from there, is not limited in its rate.
resource "aws_wafv2_ip_set" "deployers" {
  count = local.shape.web_acl ? 1 : 0

  name               = "${local.name}-deployers"
  description        = "Addresses that the rate does not limit"
  scope              = "REGIONAL"
  ip_address_version = "IPV4"

  addresses = distinct(concat(
    [for cidr in var.api_allowed_cidrs : cidrsubnet(cidr, 0, 0)],
    [for address in aws_eip.nat : "${address.public_ip}/32"],
  ))
}

resource "aws_wafv2_web_acl" "this" {
  count = local.shape.web_acl ? 1 : 0

  name        = local.name
  description = "Managed rules in front of the load balancer"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = local.waf_groups

    content {
      name     = rule.key
      priority = rule.value

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          name        = rule.key
          vendor_name = "AWS"

          dynamic "rule_action_override" {
            for_each = rule.key == "AWSManagedRulesCommonRuleSet" ? var.web_acl_counted_rules : []

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = rule.key
        sampled_requests_enabled   = true
      }
    }
  }

  rule {
    name     = "rate"
    priority = 1

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit              = var.rate_limit
        aggregate_key_type = "IP"

        scope_down_statement {
          not_statement {
            statement {
              ip_set_reference_statement {
                arn = aws_wafv2_ip_set.deployers[0].arn
              }
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = local.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "alb" {
  count = local.shape.web_acl ? 1 : 0

  resource_arn = aws_lb.this.arn
  web_acl_arn  = aws_wafv2_web_acl.this[0].arn
}

resource "aws_cloudwatch_log_group" "waf" {
  count = local.shape.web_acl ? 1 : 0

  name              = "aws-waf-logs-${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.logs.arn

  depends_on = [aws_kms_key_policy.logs]
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  count = local.shape.web_acl ? 1 : 0

  resource_arn            = aws_wafv2_web_acl.this[0].arn
  log_destination_configs = [aws_cloudwatch_log_group.waf[0].arn]
}
