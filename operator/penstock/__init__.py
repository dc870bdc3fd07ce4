"""Penstock: AWS CodePipeline as a Kubernetes operator."""
