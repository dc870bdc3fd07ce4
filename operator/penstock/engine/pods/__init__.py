"""The Job of one try, and the ActionRequest that its agent reads: everything
resolved, nothing secret.
"""
