"""Large outputs pass through an agent whose memory has a small limit: it keeps none of what passes through it."""

from __future__ import annotations

import os

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.install import BUCKET, s3_client

# `make large` sets more; the workspace and the time of an action allow this much in the tests.
MIB = int(os.environ.get("LARGE_MIB", "512"))


def test_artifact_of_512_mib_and_as_much_output_leave_the_agents_memory_flat(cluster: Cluster, team: Team) -> None:
    made = commands(
        "Make",
        f"dd if=/dev/urandom of=big bs=1M count={MIB} 2>/dev/null",
        'SUM="$(sha256sum < big)"',
        outputArtifacts=[{"name": "Big", "files": ["big"]}],
        outputVariables=["SUM"],
        namespace="Made",
    )
    printed = commands("Print", f"yes 0123456789012345678901234567890123456789 | head -c {MIB * 1024**2}")
    used = commands("Use", 'test "#{Made.SUM}" = "$(sha256sum < big)"', inputArtifacts=[{"name": "Big"}])
    team.pipeline("p", stage("Work", made), stage("Print", printed), stage("Use", used))
    team.start("p")
    status = team.ended(seconds=120 + MIB // 4)

    artifact = team.execution("Make")["outputArtifacts"][0]
    s3_client(cluster).delete_object(Bucket=BUCKET, Key=artifact["key"])
    assert status["state"] == "Succeeded", status["statusSummary"]
    assert artifact["size"] > MIB * 1024**2
