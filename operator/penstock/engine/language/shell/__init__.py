"""Reads shell commands as dash, bash and busybox's ash all read them, and
judges where values are data.
"""
