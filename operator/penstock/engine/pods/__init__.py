"""The Job of one try, and the ActionRequest for its agent.

Everything is resolved, and nothing is secret.
"""
