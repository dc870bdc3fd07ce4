"""Runs the real triggers as a process of this machine, under the chart's account for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e.operator_process import OperatorProcess
from tests.support.install import SYSTEM

POLL_S = 1.0


@dataclass
class TriggersProcess(OperatorProcess):
    """One triggers process; it may reach the cluster's Git server, which is
    no address of the internet.
    """

    identity: str = "test-triggers"
    module: str = "tests.e2e.faulty_triggers"
    account: str = "penstock-triggers"
    allowed: tuple[str, ...] = ()
    """Networks beside the Git server's that it may reach."""
    poll_s: float = POLL_S

    def _config(self) -> Path:
        path = self.folder / "config.yaml"
        lease = {"namespace": self._home, "name": self.account, **self.lease}
        config = {
            "lease": lease,
            "namespaces": self.namespaces,
            "serviceAccount": f"{SYSTEM}:{self.account}",
            "pollSeconds": self.poll_s,
            "timeoutSeconds": 10,
            "allowedCidrs": [f"{self.cluster.node_ip}/32", *self.allowed],
            "port": None,
        }
        path.write_text(yaml.safe_dump(config))
        return path
