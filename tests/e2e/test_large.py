"""Large outputs pass through an agent whose memory has a small limit: it
keeps none of what passes through it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.e2e.conftest import QUICK_VALUES, Team, commands, stage
from tests.support.install import BUCKET, install_chart, s3_client
from tests.support.kube import Kube

pytestmark = pytest.mark.alone(
    reason="it installs the chart with room for large artifacts, and fills the disk"
)

# `make large` sets more.
MIB = int(os.environ.get("LARGE_MIB", "512"))


@pytest.fixture
def room(cluster: Cluster, kube: Kube) -> Iterator[None]:
    """Room and time for so much; the agent's memory stays as limited as in all tests."""
    engine = {**QUICK_VALUES["engine"], "workspaceSize": "10Gi", "actionTimeoutSeconds": 900}
    install_chart(cluster, kube, {**QUICK_VALUES, "engine": engine})
    yield
    install_chart(cluster, kube, QUICK_VALUES)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("room")
def test_artifact_of_512_mib_and_as_much_output_leave_the_agents_memory_flat(
    cluster: Cluster, team: Team
) -> None:
    made = commands(
        "Make",
        f"dd if=/dev/urandom of=big bs=1M count={MIB} 2>/dev/null",
        'SUM="$(sha256sum < big)"',
        outputArtifacts=[{"name": "Big", "files": ["big"]}],
        outputVariables=["SUM"],
        namespace="Made",
    )
    printed = commands(
        "Print", f"yes 0123456789012345678901234567890123456789 | head -c {MIB * 1024**2}"
    )
    used = commands(
        "Use", 'test "#{Made.SUM}" = "$(sha256sum < big)"', inputArtifacts=[{"name": "Big"}]
    )
    team.pipeline("p", stage("Work", made), stage("Print", printed), stage("Use", used))
    team.start("p")
    status = team.ended(seconds=120 + MIB // 4)

    assert status["stageStates"][0]["status"] == "Succeeded", status["statusSummary"]
    artifact = team.execution("Make")["outputArtifacts"][0]
    s3_client(cluster).delete_object(Bucket=BUCKET, Key=f"{team.stored_below('Make')}/Big")
    assert status["state"] == "Succeeded", status["statusSummary"]
    assert artifact["size"] > MIB * 1024**2
