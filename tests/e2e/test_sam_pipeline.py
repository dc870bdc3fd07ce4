"""The five-stage serverless pipeline on a real cluster, in each of its eight
shapes (10.3, O-51).
"""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Team
from tests.support import aws_servers
from tests.support.install import ROOT, files_below, push_repository

EXAMPLE = ROOT / "examples" / "08-sam-five-stages"
STAGES: dict[str, dict[str, Any]] = {
    "Test": {"integTestRoleName": "integ-test"},
    "Deploy": {"deployRoleName": "deploy"},
    "Publish": {"publishToSAR": True},
}


def install(team: Team, release: str, values: dict[str, Any]) -> None:
    """Install the chart as a user does."""
    command = [
        str(Path(team.cluster.bin_dir) / "helm"), "--kubeconfig", team.cluster.kubeconfig, "-n",
        team.namespace,
        "install", release, str(ROOT / "charts/sam-pipeline"), "--values", "/dev/stdin",
    ]  # fmt: skip
    text = json.dumps(values)
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_oracle_o_51_all_eight_combinations_run(team: Team) -> None:
    server = aws_servers.ready(team.cluster, "serverlessrepo")
    aws_servers.ready(team.cluster, "aws")
    suffix = secrets.token_hex(3)
    bucket = f"sam-{suffix}"
    where = {"LocationConstraint": server.region}
    aws_servers.client(server, "s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    keys = {"accessKeyId": server.access_key, "secretAccessKey": server.secret_key}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws"}, "stringData": keys}
    team.kube.apply([secret], team.namespace)
    files = files_below(EXAMPLE / "repository")
    url = push_repository(team.cluster, team.namespace, files).cluster_url
    shared = {
        "sourceCodeProvider": "Git", "gitUrl": url, "buildImage": "aws/codebuild/standard:7.0",
        "packageBucket": bucket,
        "gitBranch": "main", "awsAccountId": "000000000000", "awsCredentialsSecret": "aws",
    }  # fmt: skip
    chosen = [
        [stage for stage, is_set in zip(STAGES, flags, strict=True) if is_set]
        for flags in itertools.product((False, True), repeat=3)
    ]
    for number, stages in enumerate(chosen):
        values = {key: value for stage in stages for key, value in STAGES[stage].items()}
        install(
            team, f"sam-{number}", {**shared, **values, "deployStackName": f"sam-{suffix}-{number}"}
        )
    for number in range(len(chosen)):
        team.start(f"sam-{number}", f"run-{number}")
    for number, stages in enumerate(chosen):
        status = team.ended(f"run-{number}", seconds=180)
        assert status["state"] == "Succeeded", (stages, status["statusSummary"])
        assert [stage["stageName"] for stage in status["stageStates"]] == [
            "Source",
            "Build",
            *stages,
        ]
    stacks = aws_servers.client(server, "cloudformation").list_stacks()["StackSummaries"]
    deployed = {
        stack["StackName"] for stack in stacks if stack["StackName"].startswith(f"sam-{suffix}-")
    }
    assert deployed == {
        f"sam-{suffix}-{number}" for number, stages in enumerate(chosen) if "Deploy" in stages
    }
