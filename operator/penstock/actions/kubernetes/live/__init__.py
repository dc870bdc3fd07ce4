"""The cluster that a deploy changes: requests, objects as they are there, and
whether they are ready.
"""
