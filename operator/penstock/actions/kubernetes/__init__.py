"""The kubernetes provider."""
