# --- what and where ---------------------------------------------------------

variable "project" {
  description = "Short project name, the prefix of every resource's name."
  type        = string
  default     = "shop"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.project))
    error_message = "project must be 2 to 16 lower-case letters, digits or dashes, starting with a letter."
  }
}

variable "environment" {
  description = "Deployment environment: local, staging, production or another short name. Each has an AWS account of its own."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}[a-z0-9]$", var.environment))
    error_message = "environment must be 2 to 21 lower-case letters, digits or dashes, starting with a letter."
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
  description = "Accounts that this root may be applied to; null allows any."
  type        = list(string)
  default     = null

  validation {
    condition     = var.allowed_account_ids == null ? true : length(var.allowed_account_ids) > 0 && alltrue([for id in var.allowed_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids must be null or account numbers of 12 digits."
  }
}

# --- network ----------------------------------------------------------------

variable "vpc_cidr" {
  description = "Address range of the VPC. Its first 256th parts become public, larger 16th parts private subnets."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "vpc_cidr must be an IPv4 range of size /16 to /20."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones (cheaper) instead of one per zone (survives the loss of a zone)."
  type        = bool
  default     = false
  nullable    = false
}

# --- cluster ----------------------------------------------------------------

variable "kubernetes_version" {
  description = "EKS control plane version."
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
  description = "Addresses that may reach the public API endpoint; empty: only the VPC itself."
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
  description = "Instance types of the managed node group, preferred first. Others replace the group: until it is up again no node serves."
  type        = list(string)
  default     = ["m6i.large"]
  nullable    = false

  validation {
    condition     = length(var.node_instance_types) > 0 && alltrue([for t in var.node_instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", t))])
    error_message = "node_instance_types needs at least one type such as m6i.large."
  }
}

variable "node_min_size" {
  description = "Least number of nodes."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.node_min_size >= 1 && floor(var.node_min_size) == var.node_min_size
    error_message = "node_min_size must be a whole number of at least 1."
  }
}

variable "node_desired_size" {
  description = "Number of nodes that run; an autoscaler is not installed."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.node_desired_size >= var.node_min_size && var.node_desired_size <= var.node_max_size
    error_message = "node_desired_size must lie between node_min_size and node_max_size."
  }
}

variable "node_max_size" {
  description = "Greatest number of nodes; room for one more than desired lets an update surge."
  type        = number
  default     = 6
  nullable    = false

  validation {
    condition     = var.node_max_size <= 100 && floor(var.node_max_size) == var.node_max_size
    error_message = "node_max_size must be a whole number of at most 100."
  }
}

variable "node_disk_gib" {
  description = "Size of a node's root volume in GiB."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.node_disk_gib >= 20 && var.node_disk_gib <= 1000
    error_message = "node_disk_gib must lie between 20 and 1000."
  }
}

# --- application ------------------------------------------------------------

variable "app_namespace" {
  description = "Kubernetes namespace that the application is deployed to."
  type        = string
  default     = "shop"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.app_namespace)) && !startswith(var.app_namespace, "kube-")
    error_message = "app_namespace must be a Kubernetes name that does not start with kube-."
  }
}

variable "node_port" {
  description = "NodePort of the application's Service, which the load balancer sends to."
  type        = number
  default     = 30080
  nullable    = false

  validation {
    condition     = var.node_port >= 30000 && var.node_port <= 32767
    error_message = "node_port must lie between 30000 and 32767."
  }
}

variable "domain_name" {
  description = "DNS zone of this environment; the application answers at it and at www."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name must be a lower-case host name with a dot, without one at the end."
  }
}

variable "http_port" {
  description = "Port of the listener that only redirects to HTTPS."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.http_port >= 1 && var.http_port <= 65535
    error_message = "http_port must lie between 1 and 65535."
  }
}

variable "https_port" {
  description = "Port of the HTTPS listener; the URL carries it unless it is 443."
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

variable "deletion_protection" {
  description = "Refuse to delete the load balancer, and the registry and log bucket while anything is in them."
  type        = bool
  default     = true
  nullable    = false
}

# --- GitLab -----------------------------------------------------------------

variable "gitlab_url" {
  description = "GitLab instance whose jobs may assume the roles below, without a slash at the end."
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
  description = "Protected branch whose jobs may deploy and apply; those of other branches may only plan."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]+$", var.gitlab_branch))
    error_message = "gitlab_branch must be a branch's name, without wildcards."
  }
}

# --- monitoring -------------------------------------------------------------

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs offers: 30, 90, 365, ..."
  }
}

variable "alarm_email" {
  description = "Address that alarms are sent to; null: the topic has no subscriber yet."
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
    error_message = "latency_threshold_seconds must lie above 0 and at most at 60."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly cost in US dollars of which 80 %, when forecast, raises a notice; 0: no budget."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must not be negative."
  }
}
