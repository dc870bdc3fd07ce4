"""Kubernetes' documents as small values, and what reads them."""
