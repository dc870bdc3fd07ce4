"""What the operator knows of the cluster, and whose it is."""
