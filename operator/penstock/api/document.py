"""A Kubernetes object as the API server sends and takes it: JSON in plain dicts."""

from typing import Any

Document = dict[str, Any]
