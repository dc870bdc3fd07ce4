"""Deploys against the API server of a few lines."""

from pathlib import Path

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.execution import run
from penstock.api.contract.contracts import Limits
from tests.unit.actions.jobs import FakeJob, request

CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {since: "
    "2020-01-02, m: "
    "'1'}\n"
)
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 1, selector: {matchLabels: {app: web}}}
"""
ROLLED_OUT = {
    "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1,
    "conditions": [
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        {"type": "Available", "status": "True"},
    ],
}  # fmt: skip


def job_for(
    tmp_path: Path, files: dict[str, str], timeout_s: float = 20, **configuration: str
) -> FakeJob:
    """Return a job whose only input artifact holds these files."""
    wanted = request("kubernetes", configuration)._replace(
        limits=Limits(timeout_s=timeout_s, connect_s=2)
    )
    job = FakeJob(tmp_path / "job", wanted)
    job.inputs = {"Build": tmp_path / "input"}
    for name, text in files.items():
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).write_text(text)
    (job.token_dir / "token").write_text("token-canary\n")
    return job


def failure(job: FakeJob) -> tuple[str, str]:
    """Run a job that must fail; return the failure's code and message."""
    with pytest.raises(ActionError) as caught:
        run(job)
    assert not [line for line in [*job.lines, caught.value.message] if "canary" in line]
    return caught.value.code, caught.value.message


def never(path: str) -> bytes:
    """Build no kustomization."""
    raise AssertionError(path)
