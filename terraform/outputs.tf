# The only interface that Longshore reads: nothing below is typed a second time anywhere.

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
  description = "AWS region of everything here."
  value       = var.region
}

output "account_id" {
  description = "AWS account of everything here."
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

output "repository_url" {
  description = "Registry address of the application's image, without tag."
  value       = aws_ecr_repository.app.repository_url
}

output "url" {
  description = "Public address of the application."
  value       = "https://${var.domain_name}${var.https_port == 443 ? "" : ":${var.https_port}"}"

  # An address that answers needs more than its name.
  depends_on = [aws_lb_listener.https, aws_route53_record.app]
}

output "domain_name" {
  description = "Host name of the application."
  value       = var.domain_name
}

output "http_port" {
  description = "Port that redirects to HTTPS."
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
  description = "Delegate the DNS zone to these."
  value       = aws_route53_zone.this.name_servers
}

output "deployer_user_name" {
  description = "The service user that reaches this cluster and nothing else."
  value       = aws_iam_user.deployer.name
}

output "gitlab_role_arns" {
  description = "Roles that GitLab jobs assume: plan, deploy, apply."
  value       = { for name, role in aws_iam_role.gitlab : name => role.arn }
}

output "app_role_arn" {
  description = "Role of the application's pods."
  value       = aws_iam_role.app.arn
}

output "alarm_topic_arn" {
  description = "SNS topic of all alarms."
  value       = aws_sns_topic.alarms.arn
}
