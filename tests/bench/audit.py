"""Counts the operator's API requests in a namespace from the API server's
audit log.

Counted is everything the operator's account sends about objects of the namespace, Events, statuses
and deletes included. Not counted: the Lease, watches and lists (they serve all pipelines),
ControllerRevisions (one per definition), and reviews of tokens.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

from tests.support.install import SYSTEM

_OPERATOR = f"system:serviceaccount:{SYSTEM}:penstock"
_NOT_COUNTED = {"leases", "controllerrevisions", "tokenreviews", "subjectaccessreviews"}


class AuditLog:
    """The audit log from a moment on."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._offset = self._path.stat().st_size

    def requests(self, namespace: str, settle_s: float = 3.0) -> Counter[str]:
        """Return verb and resource of the requests since then, after the
        operator had time to come to rest.
        """
        time.sleep(settle_s)
        counted: Counter[str] = Counter()
        with self._path.open() as file:
            file.seek(self._offset)
            for line in file:
                event = json.loads(line)
                about = event.get("objectRef", {})
                if (
                    event["user"]["username"] == _OPERATOR
                    and about.get("namespace") == namespace
                    and about.get("resource") not in _NOT_COUNTED
                    and event["verb"] not in ("watch", "list")
                ):
                    part = f"/{about['subresource']}" if about.get("subresource") else ""
                    counted[f"{event['verb']} {about['resource']}{part}"] += 1
        return counted
