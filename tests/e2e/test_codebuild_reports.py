"""Test reports on the cluster (B-50, B-51): in the status, in the one-line
summary, in the store, in the command.
"""

from __future__ import annotations

import json
import subprocess
import sys

import yaml

from tests.cluster import Cluster
from tests.e2e.conftest import Team, commands, stage
from tests.support.install import BUCKET, s3_client

SUITE = """<testsuite name="s">
<testcase classname="tests.test_page.PageTest" name="test_title" time="0.5">
<failure message="'a' != 'b'"/></testcase>
<testcase classname="tests.test_page.PageTest" name="test_body" time="0.25"/>
</testsuite>"""
SUMMARY = (
    "Prod/UnitTest: Build terminated with state: FAILED: BUILD: Command failed with exit code 1: "
    "cp suite.xml out/; false (failed test: tests.test_page.PageTest.test_title)"
)


def run_tests(team: Team) -> None:
    buildspec = {
        "version": 0.2,
        "phases": {"build": {"commands": ["mkdir out", "cp suite.xml out/; false"]}},
        "reports": {"unit": {"files": ["**/*.xml"], "base-directory": "out"}},
    }
    project = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "BuildProject",
        "metadata": {"name": "tests"},
        "spec": {"image": "docker.io/library/busybox:1.35", "buildspec": yaml.safe_dump(buildspec)},
    }
    team.kube.apply([project], team.namespace)
    source = commands(
        "Make", f"cat > suite.xml <<'E'\n{SUITE}\nE", outputArtifacts=[{"name": "Source"}]
    )
    test = {
        "name": "UnitTest",
        "actionTypeId": {"category": "Test", "provider": "CodeBuild"},
        "configuration": {"ProjectName": "tests"},
        "inputArtifacts": [{"name": "Source"}],
    }
    team.pipeline("web", stage("Source", source), stage("Prod", test))
    team.start("web")


def penstock(team: Team, *arguments: str) -> str:
    """Run the penstock command and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "-n", team.namespace, *arguments],
        env={"KUBECONFIG": team.cluster.kubeconfig, "PYTHONPATH": "operator", "COLUMNS": "200"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_failed_test_is_named_wherever_the_run_is_shown(team: Team, cluster: Cluster) -> None:
    run_tests(team)
    assert team.ended()["statusSummary"] == SUMMARY
    row = team.execution("UnitTest")
    (report,) = row["reports"]
    key = report.pop("key")
    assert report == {
        "name": "unit", "total": 2, "passed": 1, "failed": 1, "errors": 0, "skipped": 0,
        "durationSeconds": 0.75,
        "failedTests": [{"suite": "tests.test_page.PageTest", "name": "test_title",
        "message": "'a' != 'b'"}],
    }  # fmt: skip
    assert row["externalExecutionId"].startswith("tests:")
    stored = json.loads(s3_client(cluster).get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert [case["name"] for case in stored["testCases"]] == ["test_title", "test_body"]
    counts = "unit: 2 tests, 1 passed, 1 failed, 0.75 s"
    assert f"report    Prod/UnitTest  {counts}" in penstock(team, "describe", "run")
    shown = penstock(team, "reports", "run", "--action", "Prod/UnitTest")
    assert (
        f"Prod/UnitTest  {counts}\n  ✗ tests.test_page.PageTest.test_title: 'a' != 'b'\n" in shown
    )
    assert (
        json.loads(penstock(team, "reports", "run", "-o", "json"))[0]["failedTests"]
        == report["failedTests"]
    )
