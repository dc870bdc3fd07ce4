"""Buildspecs as people write them (8.8), each with its promised end, on Debian and on busybox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster
from tests.e2e.builds import IMAGES, Built, Case, built
from tests.support.kube import Document, Kube

FOLDER = Path(__file__).parent / "buildspecs"
EXPECTED: Document = yaml.safe_load((FOLDER / "expected.yaml").read_text())


def outputs_of(name: str) -> tuple[str, ...]:
    expected = EXPECTED[name]
    return tuple(expected.get("outputs", ())) or ((f"{name}-files",) if "files" in expected else ())


@pytest.fixture(scope="module", params=list(IMAGES))
def builds(request: pytest.FixtureRequest, cluster: Cluster, kube: Kube) -> Iterator[Built]:
    texts = {name: (FOLDER / f"{name}.yml").read_bytes().decode() for name in EXPECTED}
    cases = {name: Case(text, outputs_of(name)) for name, text in texts.items()}
    with built(cluster, kube, request.param, cases, {"a.txt": "a"}) as done:
        yield done


def test_every_buildspec_has_an_expectation() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yml")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_buildspec_comes_to_its_end(builds: Built, name: str) -> None:
    expected, row = EXPECTED[name], builds.row(name)
    if "message" in expected:
        assert expected["message"] in builds.message(name)
    else:
        assert row["status"] == "Succeeded", row["errorDetails"]
    assert row.get("outputVariables", {}) == expected.get("variables", {})
    log = builds.log(name)
    assert [line for line in expected.get("log", []) if line not in log] == [], log
    if "files" in expected:
        assert list(builds.files(name)) == expected["files"]
    for output, files in expected.get("outputs", {}).items():
        assert list(builds.files(name, output)) == files
