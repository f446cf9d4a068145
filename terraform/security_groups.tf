resource "aws_security_group" "alb" {
  name        = "${local.name}-alb"
  description = "Public load balancer"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${local.name}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  for_each = { http = var.http_port, https = var.https_port }

  security_group_id = aws_security_group.alb.id
  description       = "${upper(each.key)} from the internet"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_egress_rule" "alb_nodes" {
  security_group_id            = aws_security_group.alb.id
  description                  = "NodePort on the nodes"
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = var.node_port
  to_port                      = var.node_port + var.review_slots
}

resource "aws_security_group" "node" {
  name        = "${local.name}-node"
  description = "EKS nodes, beside the cluster security group"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${local.name}-node" }
}

resource "aws_vpc_security_group_ingress_rule" "node_alb" {
  security_group_id            = aws_security_group.node.id
  description                  = "NodePort from the load balancer"
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = var.node_port
  to_port                      = var.node_port + var.review_slots
}

resource "aws_vpc_security_group_egress_rule" "node_all" {
  security_group_id = aws_security_group.node.id
  description       = "Anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
