"""Runs the real receiver as a process of this machine, under the chart's account for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
import yaml

from tests.e2e.operator_process import OperatorProcess
from tests.support.install import SYSTEM


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class ReceiverProcess(OperatorProcess):
    """One receiver process, and the deliveries that a Gitea would send to it."""

    identity: str = "test-receiver"
    module: str = "penstock.triggers.receiver.main"
    account: str = "penstock-receiver"
    port: int = field(default_factory=free_port)
    is_reachable: bool = False
    """Whether it listens where pods of the cluster reach it, and not on loopback alone."""

    def deliver(
        self, namespace: str, connection: str, repository: str, secret: str, name: str = ""
    ) -> int:
        """Send a signed push and return the answer's status, 0 where nobody answers."""
        body = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": repository}})
        signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Event": "push",
            "X-Gitea-Delivery": name or secrets.token_hex(8),
            "X-Gitea-Signature": signature,
        }
        url = f"http://127.0.0.1:{self.port}/hooks/{namespace}/{connection}"
        try:
            answer = urllib3.request("POST", url, body=body, headers=headers, timeout=20.0)
        except urllib3.exceptions.HTTPError:
            return 0
        return answer.status

    @property
    def address(self) -> str:
        """Where the cluster's pods reach the receiver."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            # Nothing is sent: the kernel says from which address it would be.
            route.connect((self.cluster.node_ip, 9))
            return f"http://{route.getsockname()[0]}:{self.port}"

    def _allow_lease(self) -> None:
        """Every replica of the receiver answers."""

    def _config(self) -> Path:
        path = self.folder / "config.yaml"
        config = {
            "namespaces": self.namespaces,
            "host": "0.0.0.0" if self.is_reachable else "127.0.0.1",
            "port": self.port,
            "healthPort": None,
            "serviceAccount": f"{SYSTEM}:{self.account}",
        }
        path.write_text(yaml.safe_dump(config))
        return path
