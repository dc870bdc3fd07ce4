"""The cluster that a deploy changes: its requests, its live objects, and their readiness."""
