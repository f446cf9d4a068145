resource "aws_kms_key" "ecr" {
  description             = "Container images of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_ecr_repository" "app" {
  name                 = "${var.project}/app"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.deletion_protection

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.ecr.arn
  }
}

# Who promotes these images to another account reads them, and nothing else. That account's own policies have to allow it, too.
data "aws_iam_policy_document" "promotion" {
  statement {
    sid     = "Promotion"
    actions = local.ecr_pull

    principals {
      type        = "AWS"
      identifiers = distinct([for arn in var.promotes_to : "arn:${local.partition}:iam::${split(":", arn)[4]}:root"])
    }

    # A role that does not exist yet may be named so: a principal may not.
    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = var.promotes_to
    }
  }
}

locals {
  ecr_pull = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
  ecr_push = concat(local.ecr_pull, [
    "ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
  ])
}

resource "aws_ecr_repository_policy" "app" {
  count = length(var.promotes_to) > 0 ? 1 : 0

  repository = aws_ecr_repository.app.name
  policy     = data.aws_iam_policy_document.promotion.json
}

# ECR counts pushes and does not know which image serves. So as many stay as releases can be kept at most (`keep_releases`): layers
# that images share are stored and billed once.
resource "aws_ecr_lifecycle_policy" "app" {
  repository = aws_ecr_repository.app.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Untagged images go after a week"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = 7
        }
        action = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The last 1000 stay"
        selection = {
          tagStatus   = "any"
          countType   = "imageCountMoreThan"
          countNumber = 1000
        }
        action = { type = "expire" }
      },
    ]
  })
}
