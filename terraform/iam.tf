data "aws_iam_policy_document" "assume" {
  for_each = {
    cluster = "eks.amazonaws.com"
    node    = "ec2.amazonaws.com"
    flow    = "vpc-flow-logs.amazonaws.com"
  }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${local.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.assume["cluster"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "node" {
  name               = "${local.name}-node"
  assume_role_policy = data.aws_iam_policy_document.assume["node"].json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset([
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEKS_CNI_Policy",
  ])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

resource "aws_iam_role" "flow" {
  name               = "${local.name}-flow"
  assume_role_policy = data.aws_iam_policy_document.assume["flow"].json
}

resource "aws_iam_role_policy" "flow" {
  name = "logs"
  role = aws_iam_role.flow.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${aws_cloudwatch_log_group.flow.arn}:*"
    }]
  })
}

# --- pods (EKS pod identity) ------------------------------------------------

data "aws_iam_policy_document" "pod_identity" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cloudwatch_agent" {
  name               = "${local.name}-cloudwatch-agent"
  assume_role_policy = data.aws_iam_policy_document.pod_identity.json
}

resource "aws_iam_role_policy_attachment" "cloudwatch_agent" {
  role       = aws_iam_role.cloudwatch_agent.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/CloudWatchAgentServerPolicy"
}

resource "aws_iam_role" "app" {
  name               = "${local.name}-app"
  assume_role_policy = data.aws_iam_policy_document.pod_identity.json
}

# --- GitLab CI (OIDC) -------------------------------------------------------

resource "aws_iam_openid_connect_provider" "gitlab" {
  url            = var.gitlab_url
  client_id_list = [var.gitlab_url]
}

locals {
  gitlab_host = trimprefix(var.gitlab_url, "https://")

  # Planning reads and is open to every branch; what changes anything is tied to the protected one.
  gitlab_refs = {
    plan   = "ref_type:branch:ref:*"
    deploy = "ref_type:branch:ref:${var.gitlab_branch}"
    apply  = "ref_type:branch:ref:${var.gitlab_branch}"
  }

  gitlab_policies = {
    plan   = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"
    deploy = aws_iam_policy.gitlab_deploy.arn
    apply  = "arn:${local.partition}:iam::aws:policy/AdministratorAccess"
  }
}

data "aws_iam_policy_document" "gitlab" {
  for_each = local.gitlab_refs

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
      test     = each.key == "plan" ? "StringLike" : "StringEquals"
      variable = "${local.gitlab_host}:sub"
      values   = ["project_path:${var.gitlab_project_path}:${each.value}"]
    }
  }
}

resource "aws_iam_role" "gitlab" {
  for_each = local.gitlab_refs

  name                 = "${local.name}-gitlab-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.gitlab[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy_attachment" "gitlab" {
  for_each = local.gitlab_refs

  role       = aws_iam_role.gitlab[each.key].name
  policy_arn = local.gitlab_policies[each.key]
}

data "aws_iam_policy_document" "gitlab_deploy" {
  statement {
    sid       = "Cluster"
    actions   = ["eks:DescribeCluster"]
    resources = [local.arns.cluster]
  }

  # A release reads the outputs from the state, which holds no secrets.
  statement {
    sid       = "State"
    actions   = ["s3:GetObject"]
    resources = ["${local.arns.state}/${var.environment}/terraform.tfstate"]
  }

  statement {
    sid       = "StateBucket"
    actions   = ["s3:ListBucket"]
    resources = [local.arns.state]
  }

  # What `secrets` of the environment in longshore.toml may name: `PROJECT/ENVIRONMENT` and what begins like that.
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:${local.partition}:secretsmanager:${var.region}:${local.account_id}:secret:${var.project}/${var.environment}*"]
  }

  # `invoke status` names the alarms that ring; nothing narrower lists them by prefix.
  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["*"]
  }

  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [local.arns.repository]
  }
}

resource "aws_iam_policy" "gitlab_deploy" {
  name        = "${local.name}-gitlab-deploy"
  description = "Push images and reach the cluster"
  policy      = data.aws_iam_policy_document.gitlab_deploy.json
}
