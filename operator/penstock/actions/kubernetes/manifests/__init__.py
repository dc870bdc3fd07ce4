"""Reads an artifact's manifests like kubectl: files, kustomizations, values and images in place."""
