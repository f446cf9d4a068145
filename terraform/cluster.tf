resource "aws_kms_key" "eks" {
  description             = "EKS secrets of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "eks" {
  name          = "alias/${local.name}-eks"
  target_key_id = aws_kms_key.eks.key_id
}

# EKS may write once more after the cluster was deleted, which creates the group again: then it is adopted.
data "aws_cloudwatch_log_groups" "eks" {
  log_group_name_prefix = local.control_plane_logs
}

import {
  for_each = setintersection([local.control_plane_logs], data.aws_cloudwatch_log_groups.eks.log_group_names)
  to       = aws_cloudwatch_log_group.eks
  id       = each.value
}

locals {
  control_plane_logs = "/aws/eks/${local.name}/cluster"
}

resource "aws_cloudwatch_log_group" "eks" {
  name              = local.control_plane_logs
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.logs.arn

  depends_on = [aws_kms_key_policy.logs]
}

resource "aws_eks_cluster" "this" {
  name     = local.name
  role_arn = aws_iam_role.cluster.arn
  version  = local.kubernetes_version

  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  vpc_config {
    subnet_ids              = aws_subnet.private[*].id
    endpoint_private_access = true
    endpoint_public_access  = length(var.api_allowed_cidrs) > 0
    public_access_cidrs     = length(var.api_allowed_cidrs) > 0 ? var.api_allowed_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.eks.arn
    }
  }

  # At its end, standard support upgrades the cluster; extended support, the default, costs six times as much.
  upgrade_policy {
    support_type = "STANDARD"
  }

  depends_on = [
    aws_iam_role_policy_attachment.cluster,
    aws_cloudwatch_log_group.eks,
  ]

  # A cluster cannot move to another VPC, and keeps the old one from being deleted.
  lifecycle {
    replace_triggered_by = [aws_vpc.this.id]

    precondition {
      condition     = local.minor.wanted - local.minor.cluster <= 1
      error_message = "EKS upgrades by one minor version at a time: the cluster runs ${local.live.cluster}, kubernetes_version is ${var.kubernetes_version}."
    }
  }
}

# Everything on the cluster refers to its id. That is its name as well, but when the cluster is replaced, a plan does
# not know the id yet and so replaces everything on it, too.

# --- nodes ------------------------------------------------------------------

resource "aws_launch_template" "node" {
  name                   = "${local.name}-node"
  update_default_version = true

  vpc_security_group_ids = [
    aws_eks_cluster.this.vpc_config[0].cluster_security_group_id,
    aws_security_group.node.id,
  ]

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1 # pods can't reach the node's credentials
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = local.shape.node_disk_gib
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = local.shape.detailed_monitoring
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(local.common_tags, { Name = "${local.name}-node" })
  }

  tag_specifications {
    resource_type = "volume"
    tags          = merge(local.common_tags, { Name = "${local.name}-node" })
  }
}

locals {
  # AWS names the families of its own ARM processor by a g after the generation: m7g, c6gn, t4g, and a1 before them.
  node_architecture = can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", local.shape.node_instance_types[0])) ? "arm64" : "amd64"
}

resource "aws_eks_node_group" "main" {
  cluster_name    = aws_eks_cluster.this.id
  node_group_name = "main"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = aws_subnet.private[*].id
  ami_type        = { amd64 = "AL2023_x86_64_STANDARD", arm64 = "AL2023_ARM_64_STANDARD" }[local.node_architecture]
  capacity_type   = "ON_DEMAND"
  instance_types  = local.shape.node_instance_types
  version         = local.node_version
  release_version = var.node_image_release

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    desired_size = local.node_desired_size
    min_size     = local.shape.node_min_size
    max_size     = local.shape.node_max_size
  }

  update_config {
    max_unavailable = 1
  }

  # A node that stays NotReady is replaced.
  node_repair_config {
    enabled = true
  }

  labels = { role = "app" }

  lifecycle {
    precondition {
      condition     = local.shape.node_min_size <= local.shape.node_max_size && (var.node_desired_size == null ? true : var.node_desired_size >= local.shape.node_min_size && var.node_desired_size <= local.shape.node_max_size)
      error_message = "The nodes' number must be possible: node_min_size, node_desired_size, node_max_size in this order. Where one is not set, the profile gives it."
    }
  }

  depends_on = [
    aws_iam_role_policy_attachment.node,
    aws_eks_addon.before_nodes,
  ]
}

# --- add-ons ----------------------------------------------------------------

locals {
  # Nodes are Ready only with a network; the others need a node to run on.
  addons_before_nodes = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"]
  addons_after_nodes  = setsubtract(keys(var.addon_versions), concat(local.addons_before_nodes, local.shape.container_insights ? [] : ["amazon-cloudwatch-observability"]))

  # Application Signals would instrument every workload behind a Service, of which `restricted` refuses the pods: its
  # init container for Java has no securityContext. A workload can still ask for it, by annotation.
  addon_configuration = {
    "vpc-cni"                         = jsonencode({ enableNetworkPolicy = "true" })
    "amazon-cloudwatch-observability" = jsonencode({ manager = { applicationSignals = { autoMonitor = { monitorAllServices = false } } } })
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = { for name, version in var.addon_versions : name => version if contains(local.addons_before_nodes, name) }

  cluster_name                = aws_eks_cluster.this.id
  addon_name                  = each.key
  addon_version               = each.value
  configuration_values        = lookup(local.addon_configuration, each.key, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"
}

resource "aws_eks_addon" "after_nodes" {
  for_each = { for name, version in var.addon_versions : name => version if contains(local.addons_after_nodes, name) }

  cluster_name                = aws_eks_cluster.this.id
  addon_name                  = each.key
  addon_version               = each.value
  configuration_values        = lookup(local.addon_configuration, each.key, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"

  # Agents create a deleted log group again, without key and retention: they have to go first.
  depends_on = [
    aws_eks_node_group.main,
    aws_eks_pod_identity_association.cloudwatch_agent,
    aws_cloudwatch_log_group.containers,
  ]
}

# --- access -----------------------------------------------------------------

resource "aws_eks_access_entry" "admin" {
  for_each = var.admin_principal_arns

  cluster_name  = aws_eks_cluster.this.id
  principal_arn = each.value
  type          = "STANDARD"
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = var.admin_principal_arns

  cluster_name  = aws_eks_cluster.this.id
  principal_arn = aws_eks_access_entry.admin[each.value].principal_arn
  policy_arn    = "arn:${local.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

# Both deployers, the service user and the pipeline's job, have the same permission: edit in one namespace.
locals {
  deployers = {
    user = aws_iam_user.deployer.arn
    ci   = aws_iam_role.ci["deploy"].arn
  }
}

resource "aws_eks_access_entry" "deployer" {
  for_each = local.deployers

  cluster_name      = aws_eks_cluster.this.id
  principal_arn     = each.value
  kubernetes_groups = ["${var.app_namespace}-deployers"]
  type              = "STANDARD"
}

resource "aws_eks_access_policy_association" "deployer" {
  for_each = local.deployers

  cluster_name  = aws_eks_cluster.this.id
  principal_arn = aws_eks_access_entry.deployer[each.key].principal_arn
  policy_arn    = "arn:${local.partition}:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"

  access_scope {
    type       = "namespace"
    namespaces = [var.app_namespace]
  }
}

resource "aws_eks_pod_identity_association" "cloudwatch_agent" {
  count = local.shape.container_insights ? 1 : 0

  cluster_name    = aws_eks_cluster.this.id
  namespace       = "amazon-cloudwatch"
  service_account = "cloudwatch-agent"
  role_arn        = aws_iam_role.cloudwatch_agent[0].arn
}

resource "aws_eks_pod_identity_association" "app" {
  cluster_name    = aws_eks_cluster.this.id
  namespace       = var.app_namespace
  service_account = var.app_service_account
  role_arn        = aws_iam_role.app.arn
}
