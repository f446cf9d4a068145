# One role for each kind of job: a token of a job gives what that job needs and nothing else. README.md says who may take which.

locals {
  gitlab_host = trimprefix(var.gitlab_url, "https://")
  github_host = "token.actions.githubusercontent.com"

  # GitLab's subject names the branch: every branch of this project may plan, which reads no data, and use the slots for review
  # environments; only the protected one may do the rest. GitHub's names the environment, whose own rules say which branches may use it.
  ci_subjects = {
    for role, policy in local.ci_policies : role => {
      gitlab = "project_path:${var.gitlab_project_path}:ref_type:branch:ref:${contains(local.ci_of_branches, role) ? "*" : var.gitlab_branch}"
      github = "repo:${coalesce(var.github_repository, "-")}:environment:${var.environment}/${role}"
    }
  }

  ci_policies = merge(
    {
      plan   = data.aws_iam_policy_document.ci_plan.json
      apply  = data.aws_iam_policy_document.ci_apply.json
      build  = data.aws_iam_policy_document.ci_build.json
      deploy = data.aws_iam_policy_document.ci_deploy.json
    },
    var.review_slots > 0 ? { review = data.aws_iam_policy_document.ci_review.json } : {},
  )

  ci_of_branches = ["plan", "review"]
}

resource "aws_iam_openid_connect_provider" "gitlab" {
  url            = var.gitlab_url
  client_id_list = [var.gitlab_url]
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_repository == null ? 0 : 1

  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "ci_trust" {
  for_each = local.ci_policies

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.gitlab.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.gitlab_host}:aud"
      values   = [var.gitlab_url]
    }

    condition {
      test     = contains(local.ci_of_branches, each.key) ? "StringLike" : "StringEquals"
      variable = "${local.gitlab_host}:sub"
      values   = [local.ci_subjects[each.key].gitlab]
    }
  }

  dynamic "statement" {
    for_each = aws_iam_openid_connect_provider.github

    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.value.arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.github_host}:aud"
        values   = ["sts.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.github_host}:sub"
        values   = [local.ci_subjects[each.key].github]
      }
    }
  }
}

resource "aws_iam_role" "ci" {
  for_each = local.ci_policies

  name                 = "${local.name}-ci-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.ci_trust[each.key].json
  permissions_boundary = aws_iam_policy.boundary.arn
  max_session_duration = 3600
}

resource "aws_iam_policy" "ci" {
  for_each = local.ci_policies

  name        = "${local.name}-ci-${each.key}"
  description = "What a job needs to ${each.key}"
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "ci" {
  for_each = local.ci_policies

  role       = aws_iam_role.ci[each.key].name
  policy_arn = aws_iam_policy.ci[each.key].arn
}

# --- what each may do ---------------------------------------------------------

# Terraform's outputs, which all but the plan's own work is based on. The state has no secrets.
data "aws_iam_policy_document" "ci_state" {
  statement {
    sid       = "State"
    actions   = ["s3:GetObject"]
    resources = local.ci_state
  }

  # Without it, AWS does not tell a state that is missing from one that may not be read.
  statement {
    sid       = "StateBucket"
    actions   = ["s3:ListBucket"]
    resources = [local.arns.state]
  }
}

locals {
  ci_state = [for name in ["terraform.tfstate", "applied.json"] : "${local.arns.state}/${var.environment}/${name}"]

  ci_public = "arn:${local.partition}:ssm:${var.region}::parameter/aws/service/eks/*"

  # What terraform/ consists of. A resource of another service needs that service here, and an administrator to apply it once.
  ci_services = [
    "acm", "autoscaling", "budgets", "cloudwatch", "ec2", "ecr", "eks", "elasticloadbalancing", "iam", "kms", "logs", "route53", "s3",
    "sns", "wafv2",
  ]

  # How those services call what only reads. Each is used, says tests/integration/test_roles.py.
  ci_reads = [
    "acm:Describe*", "acm:List*", "autoscaling:Describe*", "budgets:List*", "budgets:View*", "cloudwatch:Describe*", "cloudwatch:Get*",
    "cloudwatch:List*", "ec2:Describe*", "ecr:Describe*", "ecr:Get*", "ecr:List*", "eks:Describe*", "eks:List*",
    "elasticloadbalancing:Describe*", "iam:Get*", "iam:List*", "kms:Describe*", "kms:Get*", "kms:List*", "logs:Describe*", "logs:List*",
    "route53:Get*", "route53:List*", "s3:Get*", "sns:Get*", "sns:List*", "wafv2:Get*", "wafv2:List*",
  ]

  # What holds data, and would be read by code that nobody has reviewed: a plan runs what is in terraform/ of any branch.
  ci_data = [
    "athena:Get*", "cloudwatch:GetMetric*", "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQL*",
    "dynamodb:Query", "dynamodb:Scan", "ec2:DescribeInstanceAttribute", "ec2:GetConsole*", "ec2:GetPasswordData", "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "kinesis:Get*", "kms:Decrypt", "lambda:GetFunction*", "logs:Filter*",
    "logs:Get*", "logs:StartLiveTail", "logs:StartQuery", "rds-data:*", "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue", "sqs:ReceiveMessage", "sts:Assume*", "sts:GetFederationToken", "wafv2:GetSampled*",
  ]
}

data "aws_iam_policy_document" "ci_plan" {
  source_policy_documents = [data.aws_iam_policy_document.ci_state.json]

  statement {
    sid       = "Configuration"
    actions   = local.ci_reads
    resources = ["*"]
  }

  # Without it, AWS does not say that a bucket is there, and the plan would make it anew.
  statement {
    sid       = "Buckets"
    actions   = ["s3:ListBucket"]
    resources = ["arn:${local.partition}:s3:::${local.name}-*"]
  }

  statement {
    sid       = "NoData"
    effect    = "Deny"
    actions   = local.ci_data
    resources = ["*"]
  }

  # Which node image AWS recommends. What AWS itself publishes belongs to no account.
  statement {
    sid       = "NodeImage"
    actions   = ["ssm:GetParameter"]
    resources = [local.ci_public]
  }

  statement {
    sid           = "NoParameters"
    effect        = "Deny"
    actions       = ["ssm:GetParameter*"]
    not_resources = [local.ci_public]
  }

  statement {
    sid           = "NoObjects"
    effect        = "Deny"
    actions       = ["s3:GetObject*"]
    not_resources = local.ci_state
  }
}

data "aws_iam_policy_document" "ci_apply" {
  statement {
    sid       = "Services"
    actions   = [for service in local.ci_services : "${service}:*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "ci_build" {
  source_policy_documents = [data.aws_iam_policy_document.ci_state.json]

  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Push"
    actions   = local.ecr_push
    resources = [local.arns.repository]
  }

  # The images that the environment before this one verified.
  dynamic "statement" {
    for_each = var.promoted_from[*]

    content {
      sid       = "Promotion"
      actions   = local.ecr_pull
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "ci_deploy" {
  source_policy_documents = [data.aws_iam_policy_document.ci_state.json]

  statement {
    sid       = "Cluster"
    actions   = ["eks:DescribeCluster"]
    resources = [local.arns.cluster]
  }

  # Which digest these sources have, where the job has not been told: the registry is asked for the tag.
  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Image"
    actions   = ["ecr:BatchGetImage"]
    resources = [local.arns.repository]
  }

  # The secrets that longshore.toml may name: those that start with `PROJECT/ENVIRONMENT`.
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:${local.partition}:secretsmanager:${var.region}:${local.account_id}:secret:${var.project}/${var.environment}*"]
  }

  # `invoke status` lists active alarms; listing them by prefix needs all resources.
  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["*"]
  }
}

# A branch's own environment: one repository, and in the cluster what review.tf allows.
data "aws_iam_policy_document" "ci_review" {
  source_policy_documents = [data.aws_iam_policy_document.ci_state.json]

  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "Push"
    actions   = local.ecr_push
    resources = [local.arns.review]
  }

  statement {
    sid       = "Cluster"
    actions   = ["eks:DescribeCluster"]
    resources = [local.arns.cluster]
  }
}
