"""The manifests of an artifact, as kubectl reads them: files, kustomizations,
values and images put into place.
"""
