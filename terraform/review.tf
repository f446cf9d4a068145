# Slots for review environments (docs/decisions/0054): what a release needs that only an administrator makes. Each is a host name, a rule of
# the load balancer, a node port and a namespace. With no slots, the default, there is nothing of this.

resource "aws_lb_target_group" "review" {
  for_each = local.review_slots

  name_prefix          = "rev-"
  vpc_id               = aws_vpc.this.id
  target_type          = "instance"
  protocol             = "HTTP"
  port                 = each.value.node_port
  deregistration_delay = 10

  health_check {
    path                = var.health_path
    matcher             = "200-499"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  tags = { Name = "${local.name}-review-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_autoscaling_attachment" "review" {
  for_each = local.review_slots

  autoscaling_group_name = aws_eks_node_group.main.resources[0].autoscaling_groups[0].name
  lb_target_group_arn    = aws_lb_target_group.review[each.key].arn
}

resource "aws_lb_listener_rule" "review" {
  for_each = local.review_slots

  listener_arn = aws_lb_listener.https.arn
  priority     = tonumber(each.key)

  condition {
    host_header {
      values = [each.value.host_name]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.review[each.key].arn
  }
}

# An image of a branch that nobody has reviewed must not be what the pipeline's `build` finds by its tag.
resource "aws_ecr_repository" "review" {
  count = var.review_slots > 0 ? 1 : 0

  name                 = "${var.project}/review"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = true

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.ecr.arn
  }
}

# `hours` under [pipeline.review] ends a review environment before its image goes.
resource "aws_ecr_lifecycle_policy" "review" {
  count = var.review_slots > 0 ? 1 : 0

  repository = aws_ecr_repository.review[0].name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Images go after a month"
      selection    = { tagStatus = "any", countType = "sinceImagePushed", countUnit = "days", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}

# --- who may use them -------------------------------------------------------

# The role of branches' jobs (ci.tf): `edit` in the slots' namespaces.
resource "aws_eks_access_entry" "review" {
  count = var.review_slots > 0 ? 1 : 0

  cluster_name      = aws_eks_cluster.this.id
  principal_arn     = aws_iam_role.ci["review"].arn
  kubernetes_groups = [for slot in local.review_slots : "${slot.namespace}-deployers"]
  type              = "STANDARD"
}

resource "aws_eks_access_policy_association" "review" {
  count = var.review_slots > 0 ? 1 : 0

  cluster_name  = aws_eks_cluster.this.id
  principal_arn = aws_eks_access_entry.review[0].principal_arn
  policy_arn    = "arn:${local.partition}:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"

  access_scope {
    type       = "namespace"
    namespaces = [for slot in local.review_slots : slot.namespace]
  }
}
