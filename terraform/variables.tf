# --- project and environment ------------------------------------------------

variable "project" {
  description = "Short project name, the prefix of every resource's name."
  type        = string
  default     = "shop"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.project)) && !can(regex("^kube-|^sg-|^default$|--", var.project))
    error_message = "project must be 2 to 16 lower-case letters, digits or single dashes, starting with a letter, neither default nor with kube- or sg- before it."
  }
}

variable "environment" {
  description = "Deployment environment: local, staging, production or another short name. Each has its own AWS account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}[a-z0-9]$", var.environment))
    error_message = "environment must be 2 to 21 lower-case letters, digits or dashes, starting with a letter."
  }
}

variable "profile" {
  description = "Size of the environment: small, standard or large (`profiles.tf`). Each variable that is null here takes its value from there."
  type        = string
  default     = "standard"
  nullable    = false

  validation {
    condition     = contains(["small", "standard", "large"], var.profile)
    error_message = "profile must be small, standard or large."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as eu-central-1."
  }
}

variable "allowed_account_ids" {
  description = "AWS accounts that this may be applied to; null allows any."
  type        = list(string)
  default     = null

  validation {
    condition     = var.allowed_account_ids == null ? true : length(var.allowed_account_ids) > 0 && alltrue([for id in var.allowed_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids must be null or account numbers of 12 digits."
  }
}

# --- network ----------------------------------------------------------------

variable "vpc_cidr" {
  description = "Address range of the VPC. Public subnets are its first 256ths, at least a /27, private subnets 16ths after those."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "vpc_cidr must be an IPv4 range of size /16 to /20: a smaller one has no room for the /27 that a load balancer needs in each zone beside nodes and pods."
  }
}

variable "zones" {
  description = "Availability zones, two or three; fewer where the region has fewer that EKS takes. Fewer than before removes subnets, which works only once nothing is left in them."
  type        = number
  default     = null

  validation {
    condition     = var.zones == null ? true : contains([2, 3], var.zones)
    error_message = "zones must be 2 or 3."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones (cheaper) instead of one per zone (survives the loss of a zone)."
  type        = bool
  default     = null
}

variable "interface_endpoints" {
  description = "Calls to ECR, STS and CloudWatch Logs stay in the VPC instead of passing the NAT gateway; each of the four endpoints costs by the hour in each zone."
  type        = bool
  default     = null
}

# --- cluster ----------------------------------------------------------------

variable "kubernetes_version" {
  description = "Kubernetes version of control plane and nodes. Where EKS runs a newer one, that stays, and a plan says so."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version such as 1.35."
  }
}

variable "addon_versions" {
  description = "EKS add-ons and their versions, pinned: `aws eks describe-addon-versions --kubernetes-version 1.35` lists newer ones."
  type        = map(string)
  nullable    = false

  default = {
    "vpc-cni"                         = "v1.21.1-eksbuild.3"
    "kube-proxy"                      = "v1.35.0-eksbuild.2"
    "coredns"                         = "v1.13.2-eksbuild.1"
    "eks-pod-identity-agent"          = "v1.3.10-eksbuild.3"
    "metrics-server"                  = "v0.8.1-eksbuild.6"
    "amazon-cloudwatch-observability" = "v5.3.0-eksbuild.1"
  }

  validation {
    condition = length(setsubtract([
      "vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent", "metrics-server", "amazon-cloudwatch-observability",
    ], keys(var.addon_versions))) == 0
    error_message = "addon_versions must pin vpc-cni, kube-proxy, coredns, eks-pod-identity-agent, metrics-server and amazon-cloudwatch-observability."
  }

  validation {
    condition     = alltrue([for v in values(var.addon_versions) : can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+-eksbuild\\.[0-9]+$", v))])
    error_message = "An add-on's version has the form v1.2.3-eksbuild.4."
  }
}

variable "api_allowed_cidrs" {
  description = "Address ranges that may reach the public API endpoint; empty: only the VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.api_allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "api_allowed_cidrs must be address ranges such as 198.51.100.0/24."
  }

  validation {
    condition     = alltrue([for cidr in var.api_allowed_cidrs : !endswith(cidr, "/0")])
    error_message = "The API endpoint must not be open to the world."
  }
}

variable "admin_principal_arns" {
  description = "IAM users and roles that administer the whole cluster."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.admin_principal_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/.+$", arn))])
    error_message = "admin_principal_arns must be ARNs of IAM users or roles (for a session, name the role)."
  }
}

variable "node_instance_types" {
  description = "Instance types of the managed node group, preferred first; empty: the profile's. Changing them replaces the group, and nothing serves until the new nodes are up."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for t in var.node_instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", t))])
    error_message = "node_instance_types must be types such as m6i.large."
  }

  validation {
    condition     = length(distinct([for t in var.node_instance_types : can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", t))])) <= 1
    error_message = "node_instance_types must be of one architecture: a Graviton type runs other images than the rest."
  }
}

variable "node_image_release" {
  description = "Release of the nodes' AMI, such as 1.35.0-20251101: another one replaces the nodes one by one. Null: the newest when the group was made; a plan says when AWS recommends another."
  type        = string
  default     = null

  validation {
    condition     = var.node_image_release == null ? true : can(regex("^1\\.[0-9]{2}\\.[0-9]+-[0-9]{8}$", var.node_image_release))
    error_message = "node_image_release must be a release such as 1.35.0-20251101."
  }

  validation {
    condition     = var.node_image_release == null ? true : startswith(var.node_image_release, "${var.kubernetes_version}.")
    error_message = "node_image_release must be a release for kubernetes_version."
  }
}

variable "node_min_size" {
  description = "Minimum number of nodes."
  type        = number
  default     = null

  validation {
    condition     = var.node_min_size == null ? true : var.node_min_size >= 1 && floor(var.node_min_size) == var.node_min_size
    error_message = "node_min_size must be a whole number of at least 1."
  }
}

variable "node_desired_size" {
  description = "Number of nodes at first; then what the autoscaler or a person makes of it, between minimum and maximum."
  type        = number
  default     = null

  validation {
    condition     = var.node_desired_size == null ? true : var.node_desired_size >= coalesce(var.node_min_size, 1) && var.node_desired_size <= coalesce(var.node_max_size, 100)
    error_message = "node_desired_size must be between node_min_size and node_max_size."
  }
}

variable "node_max_size" {
  description = "Maximum number of nodes; one more than needed lets an update surge."
  type        = number
  default     = null

  validation {
    condition     = var.node_max_size == null ? true : var.node_max_size <= 100 && floor(var.node_max_size) == var.node_max_size
    error_message = "node_max_size must be a whole number of at most 100."
  }

  validation {
    condition     = var.node_max_size == null ? true : var.node_max_size >= coalesce(var.node_min_size, 1)
    error_message = "node_max_size must not be below node_min_size."
  }
}

variable "node_disk_gib" {
  description = "Size of a node's root volume in GiB."
  type        = number
  default     = null

  validation {
    condition     = var.node_disk_gib == null ? true : var.node_disk_gib >= 20 && var.node_disk_gib <= 1000
    error_message = "node_disk_gib must be between 20 and 1000."
  }
}

# --- application ------------------------------------------------------------

variable "app_namespace" {
  description = "Kubernetes namespace that the application is deployed to."
  type        = string
  default     = "shop"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.app_namespace)) && !can(regex("^kube-|^default$", var.app_namespace))
    error_message = "app_namespace must be a Kubernetes name that is not default and does not start with kube-."
  }
}

variable "app_deployment" {
  description = "Deployment there that answers users; an alarm counts its restarts."
  type        = string
  default     = "app"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.app_deployment))
    error_message = "app_deployment must be a Kubernetes name."
  }
}

variable "app_service_account" {
  description = "Kubernetes service account there whose pods have the application's role in AWS."
  type        = string
  default     = "app"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.app_service_account))
    error_message = "app_service_account must be a Kubernetes name."
  }
}

variable "node_port" {
  description = "NodePort of the application's Service, the target of the load balancer."
  type        = number
  default     = 30080
  nullable    = false

  validation {
    condition     = var.node_port >= 30000 && var.node_port <= 32767
    error_message = "node_port must be between 30000 and 32767."
  }
}

variable "review_slots" {
  description = "How many review environments there can be at once, beside the application in its cluster. A certificate takes 10 names, of which 2 are the application's."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = contains(range(9), var.review_slots) && var.node_port + var.review_slots <= 32767
    error_message = "review_slots must be a whole number from 0 to 8, and node_port low enough for as many above it."
  }
}

variable "health_path" {
  description = "Path that the load balancer asks whether a target is well: any answer below 500 says so."
  type        = string
  default     = "/readyz"
  nullable    = false

  validation {
    condition     = can(regex("^/[^ ?#]*$", var.health_path))
    error_message = "health_path must be a path that begins with a slash."
  }
}

variable "domain_name" {
  description = "DNS zone of this environment; the application is served there and at www."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name must be a lower-case host name with a dot in it, but not at its end."
  }
}

variable "hosted_zone_id" {
  description = "Public Route 53 zone that domain_name is in, where there is one already; null: a zone is made for it, to be delegated."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null ? true : can(regex("^Z[A-Z0-9]{5,31}$", var.hosted_zone_id))
    error_message = "hosted_zone_id must be null or the id of a zone in Route 53, such as Z0123456789ABCDEFGHIJ."
  }
}

variable "http_port" {
  description = "Port of the listener that only redirects to HTTPS."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.http_port >= 1 && var.http_port <= 65535
    error_message = "http_port must be between 1 and 65535."
  }
}

variable "https_port" {
  description = "Port of the HTTPS listener; part of the URL unless it is 443."
  type        = number
  default     = 443
  nullable    = false

  validation {
    condition     = var.https_port >= 1 && var.https_port <= 65535
    error_message = "https_port must lie between 1 and 65535."
  }

  validation {
    condition     = var.https_port != var.http_port
    error_message = "http_port and https_port must differ."
  }
}

variable "rate_limit" {
  description = "Requests in five minutes above which the web ACL blocks an address; those in api_allowed_cidrs are exempt."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000 && floor(var.rate_limit) == var.rate_limit
    error_message = "rate_limit must be a whole number between 10 and 2000000000."
  }
}

variable "web_acl_counted_rules" {
  description = "Rules of AWS's core rule set that only count: SizeRestrictions_BODY where uploads are larger than 8 KB."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.web_acl_counted_rules : can(regex("^[A-Za-z0-9_]{1,128}$", name))])
    error_message = "web_acl_counted_rules must be names of rules such as SizeRestrictions_BODY."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the load balancer, and the registry and log bucket unless they are empty."
  type        = bool
  default     = true
  nullable    = false
}

# --- pipeline ---------------------------------------------------------------

variable "gitlab_url" {
  description = "GitLab instance whose jobs may assume the roles, without a slash at the end."
  type        = string
  default     = "https://gitlab.com"
  nullable    = false

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.gitlab_url))
    error_message = "gitlab_url must be https://HOST, without a path or a slash at the end."
  }
}

variable "gitlab_project_path" {
  description = "Project whose jobs may assume the roles: group/project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", var.gitlab_project_path))
    error_message = "gitlab_project_path must be group/project, without wildcards."
  }
}

variable "gitlab_branch" {
  description = "Protected branch whose jobs may apply, build and deploy; jobs of other branches may only plan."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]+$", var.gitlab_branch))
    error_message = "gitlab_branch must be the name of a branch, without wildcards."
  }
}

variable "github_repository" {
  description = "GitHub repository whose jobs may assume the roles as well, each in its environment ENVIRONMENT/ROLE: owner/name; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null ? true : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "promotes_to" {
  description = "IAM roles of other accounts that may read this environment's images: the build role of the environment that they are promoted to."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.promotes_to : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "promotes_to must be ARNs of IAM roles, without wildcards."
  }
}

variable "promoted_from" {
  description = "ECR repository of the environment whose verified images are promoted to this one; null: images are built for it."
  type        = string
  default     = null

  validation {
    condition     = var.promoted_from == null ? true : can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/[^*?]+$", var.promoted_from))
    error_message = "promoted_from must be the ARN of an ECR repository, without wildcards."
  }
}

# --- monitoring and protection ----------------------------------------------

variable "web_acl" {
  description = "AWS WAF in front of the load balancer: managed rules and a rate limit."
  type        = bool
  default     = null
}

variable "container_insights" {
  description = "The CloudWatch add-on: pods' logs and metrics in CloudWatch, billed by volume. Without it logs end with their pod, and no alarm counts restarts."
  type        = bool
  default     = null
}

variable "detailed_monitoring" {
  description = "Metrics of nodes every minute instead of every five."
  type        = bool
  default     = null
}

variable "log_retention_days" {
  description = "Retention of logs, in days."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs offers: 30, 90, 365, ..."
  }
}

variable "alarm_email" {
  description = "E-mail address that alarms are sent to; null: no subscription."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alarm_email))
    error_message = "alarm_email must be null or an e-mail address."
  }
}

variable "latency_threshold_seconds" {
  description = "The latency alarm fires when the 95th percentile stays above this, in seconds."
  type        = number
  default     = 1.5
  nullable    = false

  validation {
    condition     = var.latency_threshold_seconds > 0 && var.latency_threshold_seconds <= 60
    error_message = "latency_threshold_seconds must be above 0 and at most 60."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly budget in US dollars; a forecast above 80 % of it sends a notification. 0: no budget."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget_usd == null ? true : var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must not be negative."
  }
}
