resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.logs.id
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "Publish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  alb_dimensions = { LoadBalancer = aws_lb.this.arn_suffix }
  tg_dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.app.arn_suffix
  }
}

resource "aws_cloudwatch_metric_alarm" "alb_5xx" {
  alarm_name          = "${local.name}-alb-5xx"
  alarm_description   = "More than 1 % of the requests fail at the load balancer or behind it. What to do: docs/runbooks/alb-5xx.md"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  # A period without errors of a kind has no datapoint of it, and arithmetic with one that is missing gives none. Requests
  # that find no target are not in RequestCount, so when all are refused there is no such datapoint, either.
  metric_query {
    id          = "rate"
    expression  = "100 * (FILL(elb, 0) + FILL(target, 0)) / (FILL(requests, 0) + FILL(elb, 0))"
    label       = "5xx %"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      elb      = "HTTPCode_ELB_5XX_Count"
      target   = "HTTPCode_Target_5XX_Count"
      requests = "RequestCount"
    }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        period      = 60
        stat        = "Sum"
        dimensions  = local.alb_dimensions
      }
    }
  }
}

locals {
  # Symptoms that users notice, or soon will. A missing metric raises an alarm only if it means that nothing answers.
  alarms = {
    latency-p95 = {
      description = "Slow: the 95th percentile of the response time"
      namespace   = "AWS/ApplicationELB", metric = "TargetResponseTime", dimensions = local.tg_dimensions
      statistic   = null, percentile = "p95", period = 60, periods = 5
      operator    = "GreaterThanThreshold", threshold = var.latency_threshold_seconds, missing = "notBreaching"
    }
    unhealthy-hosts = {
      description = "A node fails the load balancer's health check"
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.tg_dimensions
      statistic   = "Maximum", percentile = null, period = 60, periods = 3
      operator    = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
    }
    no-healthy-host = {
      description = "No node answers: the application is down"
      namespace   = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.tg_dimensions
      statistic   = "Minimum", percentile = null, period = 60, periods = 2
      operator    = "LessThanThreshold", threshold = 1, missing = "breaching"
    }
    pod-restarts = {
      description = "Containers of the application restart again and again"
      namespace   = "ContainerInsights", metric = "pod_number_of_container_restarts"
      dimensions  = { ClusterName = local.name, Namespace = var.app_namespace, PodName = var.app_deployment }
      statistic   = "Sum", percentile = null, period = 300, periods = 2
      operator    = "GreaterThanThreshold", threshold = 3, missing = "notBreaching"
    }
    certificate-expiry = {
      description = "The certificate ends within three weeks and was not renewed"
      namespace   = "AWS/CertificateManager", metric = "DaysToExpiry"
      dimensions  = { CertificateArn = aws_acm_certificate.this.arn }
      statistic   = "Minimum", percentile = null, period = 86400, periods = 1
      operator    = "LessThanThreshold", threshold = 21, missing = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "symptom" {
  # The CloudWatch add-on counts the restarts.
  for_each = { for name, alarm in local.alarms : name => alarm if local.shape.container_insights || alarm.namespace != "ContainerInsights" }

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.description}. What to do: docs/runbooks/${each.key}.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name

  dashboard_body = jsonencode({
    widgets = [
      {
        type   = "metric"
        x      = 0
        y      = 0
        width  = 12
        height = 6
        properties = {
          title  = "Requests"
          region = var.region
          stat   = "Sum"
          period = 60
          metrics = [
            ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", aws_lb.this.arn_suffix],
            [".", "HTTPCode_Target_5XX_Count", ".", "."],
          ]
        }
      },
    ]
  })
}

resource "aws_budgets_budget" "monthly" {
  count = local.shape.monthly_budget_usd > 0 ? 1 : 0

  name         = "${local.name}-monthly"
  budget_type  = "COST"
  limit_amount = format("%.1f", local.shape.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    comparison_operator       = "GREATER_THAN"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    notification_type         = "FORECASTED"
    subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
  }
}
