# What AWS or a person may change between two applies, read at each plan. A plan that would set it back would never be
# empty, and EKS refuses to take back a version.

data "aws_eks_clusters" "all" {}

data "aws_eks_cluster" "live" {
  count = contains(data.aws_eks_clusters.all.names, local.name) ? 1 : 0

  name = local.name
}

data "aws_eks_node_groups" "live" {
  count = length(data.aws_eks_cluster.live)

  cluster_name = local.name
}

data "aws_eks_node_group" "live" {
  count = length([for group in data.aws_eks_node_groups.live : group if contains(group.names, "main")])

  cluster_name    = local.name
  node_group_name = "main"
}

locals {
  live = {
    cluster = coalesce(one(data.aws_eks_cluster.live[*].version), var.kubernetes_version)
    nodes   = coalesce(one(data.aws_eks_node_group.live[*].version), var.kubernetes_version)
    desired = try(data.aws_eks_node_group.live[0].scaling_config[0].desired_size, coalesce(var.node_desired_size, local.profile.node_desired_size))
  }

  minor = { for name, version in { wanted = var.kubernetes_version, cluster = local.live.cluster, nodes = local.live.nodes } : name => tonumber(split(".", version)[1]) }

  # AWS upgrades a control plane at the end of its standard support; nodes follow when kubernetes_version says so.
  kubernetes_version = local.minor.wanted > local.minor.cluster ? var.kubernetes_version : local.live.cluster
  node_version       = local.minor.wanted > local.minor.nodes ? var.kubernetes_version : local.live.nodes

  # Whoever scaled the nodes, autoscaler or person, had a reason, within the limits.
  node_desired_size = max(local.shape.node_min_size, min(local.shape.node_max_size, local.live.desired))
}

check "kubernetes_version" {
  assert {
    condition     = local.kubernetes_version == var.kubernetes_version
    error_message = "EKS runs Kubernetes ${local.kubernetes_version}, which is newer than kubernetes_version: set that to ${local.kubernetes_version}, and addon_versions to match, and the nodes follow."
  }
}
