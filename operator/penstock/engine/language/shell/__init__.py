"""Reads shell commands as dash, bash and busybox's ash all do. It judges where values are data."""
