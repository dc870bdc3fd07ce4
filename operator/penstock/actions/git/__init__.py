"""The git provider."""
