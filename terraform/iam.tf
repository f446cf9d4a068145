data "aws_iam_policy_document" "assume" {
  for_each = { for name, principal in local.service_principals : name => principal if name != "logs" }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # Only for resources of this account. EC2 does not say whose an instance is: with the condition, no node would start.
    dynamic "condition" {
      for_each = each.key == "node" ? [] : [local.account_id]

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "cluster" {
  name                 = "${local.name}-cluster"
  assume_role_policy   = data.aws_iam_policy_document.assume["cluster"].json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "node" {
  name                 = "${local.name}-node"
  assume_role_policy   = data.aws_iam_policy_document.assume["node"].json
  permissions_boundary = aws_iam_policy.boundary.arn
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

# --- pods (EKS pod identity) ------------------------------------------------

data "aws_iam_policy_document" "pod_identity" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.arns.cluster]
    }
  }
}

resource "aws_iam_role" "cloudwatch_agent" {
  count = local.shape.container_insights ? 1 : 0

  name                 = "${local.name}-cloudwatch-agent"
  assume_role_policy   = data.aws_iam_policy_document.pod_identity.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy_attachment" "cloudwatch_agent" {
  count = local.shape.container_insights ? 1 : 0

  role       = aws_iam_role.cloudwatch_agent[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/CloudWatchAgentServerPolicy"
}

resource "aws_iam_role" "app" {
  name                 = "${local.name}-app"
  assume_role_policy   = data.aws_iam_policy_document.pod_identity.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

# --- the boundary -----------------------------------------------------------

# What no role here goes beyond, whatever its policies say. The pipeline's `apply` may make roles and change them, so without this it
# could give itself, or anybody, every permission. It cannot change the boundary: an administrator does.
data "aws_iam_policy_document" "boundary" {
  statement {
    sid       = "Everything"
    actions   = ["*"]
    resources = ["*"]
  }

  statement {
    sid    = "OnlyWithThisBoundary"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy",
      "iam:AttachUserPolicy",
      "iam:CreateRole",
      "iam:CreateUser",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
      "iam:PutUserPermissionsBoundary",
      "iam:PutUserPolicy",
    ]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.arns.boundary]
    }
  }

  statement {
    sid       = "ThisBoundaryStays"
    effect    = "Deny"
    actions   = ["iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"]
    resources = [local.arns.boundary]
  }

  statement {
    sid           = "OnlyThisProjectsPolicies"
    effect        = "Deny"
    actions       = ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"]
    not_resources = ["arn:${local.partition}:iam::${local.account_id}:policy/${local.name}-*"]
  }

  statement {
    sid           = "OnlyThisProjectsRoles"
    effect        = "Deny"
    actions       = ["iam:PassRole", "iam:UpdateAssumeRolePolicy"]
    not_resources = ["arn:${local.partition}:iam::${local.account_id}:role/${local.name}-*"]
  }

  statement {
    sid       = "NobodyElse"
    effect    = "Deny"
    actions   = ["sts:AssumeRole"]
    resources = ["arn:${local.partition}:iam::${local.account_id}:role/*"]
  }

  # Who gets in, and with what, is not for a pipeline to decide.
  statement {
    sid    = "NoWayIn"
    effect = "Deny"
    actions = [
      "account:*",
      "iam:AddUserToGroup",
      "iam:AttachGroupPolicy",
      "iam:CreateAccessKey",
      "iam:CreateLoginProfile",
      "iam:CreateSAMLProvider",
      "iam:CreateServiceSpecificCredential",
      "iam:DeleteRolePermissionsBoundary",
      "iam:DeleteUserPermissionsBoundary",
      "iam:PutGroupPolicy",
      "iam:UpdateAccessKey",
      "iam:UpdateLoginProfile",
      "iam:UpdateSAMLProvider",
      "organizations:*",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  description = "What no role of this project goes beyond"
  policy      = data.aws_iam_policy_document.boundary.json
}
