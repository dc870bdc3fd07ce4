"""Hosts of Git repositories: Connections to them, their addresses, and credentials for them."""
