"""The cluster as the user's kubeconfig reaches it."""
