# What Longshore reads; none of these values is repeated elsewhere.

output "cluster_name" {
  description = "EKS cluster."
  value       = aws_eks_cluster.this.name
}

output "cluster_endpoint" {
  description = "Address of the cluster's API server."
  value       = aws_eks_cluster.this.endpoint
}

output "cluster_certificate_authority_data" {
  description = "Certificate authority of the cluster's API server, base64 of PEM."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "region" {
  description = "AWS region."
  value       = var.region
}

output "account_id" {
  description = "AWS account."
  value       = local.account_id
}

output "namespace" {
  description = "Kubernetes namespace of the application."
  value       = var.app_namespace
}

output "node_port" {
  description = "NodePort that the load balancer sends to."
  value       = var.node_port
}

output "node_architecture" {
  description = "Processor of the nodes, which the image is built for: amd64 or arm64."
  value       = local.node_architecture
}

output "repository_url" {
  description = "Registry address of the application's image, without tag."
  value       = aws_ecr_repository.app.repository_url
}

output "url" {
  description = "Public address of the application."
  value       = "https://${var.domain_name}${var.https_port == 443 ? "" : ":${var.https_port}"}"

  # The address works only once these exist.
  depends_on = [aws_lb_listener.https, aws_route53_record.app]
}

output "domain_name" {
  description = "Host name of the application."
  value       = var.domain_name
}

output "host_names" {
  description = "Host names that the application answers to."
  value       = local.host_names
}

output "http_port" {
  description = "Port of HTTP, which redirects to HTTPS."
  value       = aws_lb_listener.http.port
}

output "https_port" {
  description = "Port of HTTPS."
  value       = aws_lb_listener.https.port
}

output "load_balancer_dns_name" {
  description = "DNS name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "name_servers" {
  description = "Name servers that the DNS zone has to be delegated to."
  value       = local.name_servers
}

output "deployer_user_name" {
  description = "Service user that can reach this cluster and nothing else."
  value       = aws_iam_user.deployer.name
}

output "ci_role_arns" {
  description = "Roles that the pipeline's jobs take on: plan, apply, build, deploy; review where there are slots."
  value       = { for name, role in aws_iam_role.ci : name => role.arn }
}

output "app_role_arn" {
  description = "Role of the application's pods."
  value       = aws_iam_role.app.arn
}

output "alarm_topic_arn" {
  description = "SNS topic of all alarms."
  value       = aws_sns_topic.alarms.arn
}

output "review_slots" {
  description = "Slots for review environments: host name, URL, namespace and NodePort of each."
  value = [
    for slot in local.review_slots : merge(slot, { url = "https://${slot.host_name}${var.https_port == 443 ? "" : ":${var.https_port}"}" })
  ]

  depends_on = [aws_lb_listener_rule.review, aws_route53_record.app, aws_eks_access_policy_association.review]
}

output "review_repository_url" {
  description = "Registry address of review environments' images, without tag; null without slots."
  value       = one(aws_ecr_repository.review[*].repository_url)
}
