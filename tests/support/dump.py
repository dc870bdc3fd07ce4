"""Writes down what the cluster knew when a test failed: objects, Events, logs, load."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.cluster import Cluster
from tests.support.install import SYSTEM

_OBJECTS = "pipelines,pipelineruns,approvals,buildprojects,connections,stagetransitions,jobs,pods"
_LOG_LINES = "400"


def dump(cluster: Cluster, namespaces: list[str], folder: Path) -> None:
    """Write a file per question into ``folder``; an answer that fails is written down, too."""
    folder.mkdir(parents=True, exist_ok=True)
    for namespace in namespaces:
        where = ("-n", namespace)
        _save(cluster, folder / f"{namespace}-objects.yaml", *where, "get", _OBJECTS, "-o", "yaml")
        events = ("get", "events", "--sort-by=.lastTimestamp")
        _save(cluster, folder / f"{namespace}-events.txt", *where, *events)
        pods = _kubectl(cluster, *where, "get", "pods", "-o", "name").split()
        for pod in [name for name in pods if name.startswith("pod/")]:
            _save_log(cluster, folder / f"{namespace}-{pod[4:]}.log", namespace, pod)
    for pod in _kubectl(cluster, "-n", SYSTEM, "get", "pods", "-o", "name").split():
        if pod.startswith("pod/"):
            _save_log(cluster, folder / f"operator-{pod[4:]}.log", SYSTEM, pod)
    load = Path("/proc/loadavg").read_text()
    (folder / "load.txt").write_text(
        load + _run("ps", "axo", "pcpu,rss,etime,args", "--sort=-pcpu")
    )


def folder_of(root: Path, node_id: str) -> Path:
    """Return the folder of a test: its id as a file name."""
    return root / re.sub(r"[^A-Za-z0-9_.-]+", "-", node_id.rpartition("/")[2])[:150]


def _save_log(cluster: Cluster, file: Path, namespace: str, pod: str) -> None:
    how = ("--all-containers", "--prefix", "--timestamps", f"--tail={_LOG_LINES}")
    _save(cluster, file, "-n", namespace, "logs", pod, *how)


def _save(cluster: Cluster, file: Path, *arguments: str) -> None:
    file.write_text(_kubectl(cluster, *arguments))


def _kubectl(cluster: Cluster, *arguments: str) -> str:
    program = str(Path(cluster.bin_dir) / "kubectl")
    return _run(program, "--kubeconfig", cluster.kubeconfig, *arguments)


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}\n"
    return done.stdout + done.stderr
