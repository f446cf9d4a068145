# What each size of environment consists of. A variable of the same name wins over its profile. `invoke infra.cost`
# says what each costs; a budget leaves a quarter of itself for traffic and logs.
locals {
  profiles = {
    # A first environment, or staging: survives the loss of a node, and of a zone except for its NAT gateway.
    small = {
      zones               = 2
      single_nat_gateway  = true
      interface_endpoints = false
      web_acl             = false
      container_insights  = false
      detailed_monitoring = false
      node_instance_types = ["t3.medium"]
      node_min_size       = 2
      node_desired_size   = 2
      node_max_size       = 4
      node_disk_gib       = 20
      monthly_budget_usd  = 350
    }
    standard = {
      zones               = 3
      single_nat_gateway  = true
      interface_endpoints = false
      web_acl             = true
      container_insights  = true
      detailed_monitoring = false
      node_instance_types = ["m6i.large"]
      node_min_size       = 3
      node_desired_size   = 3
      node_max_size       = 6
      node_disk_gib       = 50
      monthly_budget_usd  = 650
    }
    # Nothing is shared between zones, and calls to AWS do not leave the VPC.
    large = {
      zones               = 3
      single_nat_gateway  = false
      interface_endpoints = true
      web_acl             = true
      container_insights  = true
      detailed_monitoring = true
      node_instance_types = ["m6i.large"]
      node_min_size       = 3
      node_desired_size   = 3
      node_max_size       = 9
      node_disk_gib       = 50
      monthly_budget_usd  = 1000
    }
  }

  profile = local.profiles[var.profile]

  shape = {
    zones               = coalesce(var.zones, local.profile.zones)
    single_nat_gateway  = coalesce(var.single_nat_gateway, local.profile.single_nat_gateway)
    interface_endpoints = coalesce(var.interface_endpoints, local.profile.interface_endpoints)
    web_acl             = coalesce(var.web_acl, local.profile.web_acl)
    container_insights  = coalesce(var.container_insights, local.profile.container_insights)
    detailed_monitoring = coalesce(var.detailed_monitoring, local.profile.detailed_monitoring)
    node_instance_types = coalescelist(var.node_instance_types, local.profile.node_instance_types)
    node_min_size       = coalesce(var.node_min_size, local.profile.node_min_size)
    node_max_size       = coalesce(var.node_max_size, max(local.profile.node_max_size, coalesce(var.node_min_size, 0) + 1))
    node_disk_gib       = coalesce(var.node_disk_gib, local.profile.node_disk_gib)
    monthly_budget_usd  = coalesce(var.monthly_budget_usd, local.profile.monthly_budget_usd)
  }
}
