"""`make demo` and the tests leave somebody else's cluster alone until they
are told to use it (first hour, 15).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import cluster
from tests.cluster import __main__ as driver
from tests.cluster import dev_servers, given
from tests.cluster.places import Places
from tests.cluster.shell import ClusterError
from tests.e2e import demo
from tests.support.command import kubeconfig
from tests.support.fake_api import Document, serving
from tests.support.kube import Kube


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Somebody else's cluster in KUBECONFIG, and a state directory with nothing in it."""
    monkeypatch.setenv("PENSTOCK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv(given.ALLOWED_BY, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    file = tmp_path / "config"
    document = kubeconfig("https://production.example.com:6443")
    file.write_text(json.dumps({**document, "current-context": "one"}))
    monkeypatch.setenv("KUBECONFIG", str(file))
    return Places.of_this_checkout()


@pytest.mark.parametrize("command", ["up", "down", "image"])
@pytest.mark.parametrize("text", ["json", "yaml"])
def test_first_hour_15_cluster_of_kubeconfig_is_left_alone_until_it_is_allowed(
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    text: str,
) -> None:
    if text == "yaml":
        file = places.state.parent / "config"
        lines = [
            "current-context: one",
            "clusters:",
            "- cluster:",
            "    server: https://production.example.com:6443",
        ]
        file.write_text("\n".join(lines))
    monkeypatch.setattr("sys.argv", ["tests.cluster", command])
    for name in ("up", "down", "image"):
        monkeypatch.setattr(given, name, lambda _: pytest.fail("the cluster was used"))
    assert driver.main() == 1
    said = capsys.readouterr().err
    for told in (
        "context one",
        "https://production.example.com:6443",
        "penstock-system",
        "would lose",
    ):
        assert told in said, said
    assert "PENSTOCK_USE_KUBECONFIG=yes make demo" in said


@pytest.mark.parametrize("value", ["", "no", "true", "YES", "1"])
def test_first_hour_15_only_yes_allows_it(
    places: Places, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(given.ALLOWED_BY, value)
    assert given.refusal(places)
    monkeypatch.setenv(given.ALLOWED_BY, "yes")
    assert given.refusal(places) is None


def test_first_hour_15_cluster_that_was_allowed_once_is_not_for_ever(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = dev_servers.describe(places, "given", Path("/somewhere"), "192.0.2.1", None)
    places.cluster_json.parent.mkdir(parents=True)
    places.cluster_json.write_text(json.dumps(described.to_json()))
    with pytest.raises(PermissionError, match="PENSTOCK_USE_KUBECONFIG=yes"):
        cluster.load()
    monkeypatch.setenv(given.ALLOWED_BY, "yes")
    assert cluster.load() == described


def test_several_files_in_kubeconfig_are_refused(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    with pytest.raises(ClusterError, match="several files"):
        given._kubeconfig()


@pytest.mark.parametrize(
    ("labels", "is_taken"),
    [
        ({}, False),
        ({demo.EXAMPLE_LABEL: "another"}, False),
        ({demo.EXAMPLE_LABEL: "03-devops"}, True),
        (None, True),
    ],
)
def test_first_hour_15_demo_takes_only_a_namespace_that_a_demo_made(
    tmp_path: Path, labels: Document | None, is_taken: bool
) -> None:
    with serving(None) as api:
        file = tmp_path / "config"
        file.write_text(json.dumps({**kubeconfig(api.address), "users": []}))
        if labels is not None:
            found = {"kind": "Namespace", "metadata": {"name": "bakery", "labels": labels}}
            api.put("/api/v1/namespaces/bakery", found)
        kube = Kube(str(file))
        if is_taken:
            demo.require_own(kube, "bakery", "03-devops")
        else:
            with pytest.raises(demo.StoryError, match="was not made by this demo"):
                demo.require_own(kube, "bakery", "03-devops")
    assert {seen.method for seen in api.seen} == {"GET"}
