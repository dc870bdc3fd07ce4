"""The CodeBuild provider."""
