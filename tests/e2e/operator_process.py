"""Runs the real operator as a process of this machine, under the chart's
account, so that tests can kill it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import Cluster
from tests.support.install import ROOT, SYSTEM, store_values
from tests.support.kube import Document, Kube

QUICK: Document = {
    "imagePullSeconds": 15.0,
    "containerConfigSeconds": 8.0,
    "noPodSeconds": 15.0,
    "startSeconds": 60.0,
    "containerEndSeconds": 4.0,
    "pipelineMissingSeconds": 8.0,
    # An agent that its own limit has ended tells why within this, on a loaded machine, too.
    "backstopSeconds": 30.0,
    # Long enough for a dozen deploys that begin at once on two busy cores.
    "actionTimeoutSeconds": 70.0,
    "workspaceSize": "800Mi",
    # So little that an agent which keeps in memory what passes through it is killed.
    "agentResources": {
        "requests": {"cpu": "10m", "memory": "64Mi"},
        "limits": {"memory": "192Mi"},
    },
}
LEASE: Document = {"durationSeconds": 15, "renewSeconds": 3, "writeTimeoutSeconds": 5}
"""The chart's own: on a loaded machine a shorter one is lost."""
QUICK_LIMITS: Document = {
    "graceSeconds": 1.0,
    "killSeconds": 2.0,
    "storeTimeoutSeconds": 24.0,
    "connectSeconds": 12.0,
}
"""A store and hosts may be silent for some seconds on a machine whose disk is busy; only the dead
are silent longer.
"""


@dataclass
class OperatorProcess:
    """One operator process. ``kill`` is SIGKILL; ``pause`` and ``resume`` are
    SIGSTOP and SIGCONT.
    """

    cluster: Cluster
    kube: Kube
    identity: str = "test-operator"
    engine: Document = field(default_factory=dict)
    namespaces: list[str] = field(default_factory=list)
    module: str = "tests.e2e.faulty"
    account: str = "penstock"
    lease: Document = field(default_factory=lambda: LEASE)
    process: subprocess.Popen[bytes] | None = None
    folder: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="penstock-operator-"))
    )

    def start(self, **faults: str | int) -> None:
        """Start the process; it goes on with its own lease at once, as a restarted container does.

        ``faults`` are those of `tests.e2e.faulty`, such as ``die_after_writes=1``.
        """
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._kubeconfig()),
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}",
            "PENSTOCK_POD_UID": self.identity,
            **{name.upper(): str(value) for name, value in faults.items()},
        }
        self._allow_lease()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--config", str(self._config()), "--log-format",
                "plain"],
                env=environment, stdout=log, stderr=log, cwd=ROOT,
            )  # fmt: skip

    def wait(self, seconds: float) -> int:
        """Wait until the process has ended by itself; return its exit code."""
        assert self.process is not None
        return self.process.wait(timeout=seconds)

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End the process as a crash does."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(timeout=10)

    def pause(self) -> None:
        """Stop the process where it stands."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Tell the process to end, and make sure that it does."""
        self._signal(signal.SIGTERM)
        try:
            if self.process is not None:
                self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.kill()

    def log(self) -> str:
        """Return everything the process has logged."""
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            assert self.process is not None
            self.process.send_signal(number)

    @property
    def _home(self) -> str:
        """The namespace of the Lease: operators of different namespaces do not meet."""
        return self.namespaces[0] if self.namespaces else SYSTEM

    def _allow_lease(self) -> None:
        if self._home == SYSTEM:
            return
        api = "rbac.authorization.k8s.io"
        name = {"name": f"{self.account}-lease"}
        rule = {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["create", "get", "patch"],
        }
        account = {"kind": "ServiceAccount", "name": self.account, "namespace": SYSTEM}
        role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": name, "rules": [rule]}
        binding = {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": name,
            "subjects": [account],
            "roleRef": {"apiGroup": api, "kind": "Role", **name},
        }
        self.kube.apply([role, binding], self._home)
        if not self.kube.find("leases", self._home, self.account):
            # One that nobody has held is taken at once; one that is not there is waited out.
            self.kube.create("leases", self._home, {"metadata": {"name": self.account}, "spec": {}})

    def _config(self) -> Path:
        config: dict[str, Any] = {
            "lease": {"namespace": self._home, "name": self.account, **self.lease},
            "port": None,
            "resyncSeconds": 20,
            "approvalPolicy": "penstock-approvals",
            "namespaces": self.namespaces,
            "defaultArtifactStore": store_values(self.cluster),
            "engine": {
                "agentImage": self.cluster.image,
                "commandsImage": "docker.io/library/busybox:1.35",
                "limits": QUICK_LIMITS,
                **QUICK,
                **self.engine,
            },
        }
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def _kubeconfig(self) -> Path:
        path = self.folder / "kubeconfig"
        admin = yaml.safe_load(Path(self.cluster.kubeconfig).read_text())
        token = self.kube.token_of(SYSTEM, self.account)
        admin["users"] = [{"name": "operator", "user": {"token": token}}]
        admin["contexts"] = [
            {
                "name": "operator",
                "context": {"cluster": admin["clusters"][0]["name"], "user": "operator"},
            }
        ]
        admin["current-context"] = "operator"
        path.write_text(yaml.safe_dump(admin))
        path.chmod(0o600)
        return path


def settle(seconds: float) -> None:
    """Let something that must not happen have its chance."""
    time.sleep(seconds)
