"""Edges of going back, against an API server of a few lines; the real one is met in e2e."""

import base64
import secrets
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.kubernetes.applyset import success as success_module
from penstock.actions.kubernetes.applyset.success import LastApplied
from penstock.actions.kubernetes.execution import run
from penstock.actions.kubernetes.manifests.files import Manifest
from tests.unit.actions.api_server import ApiServer
from tests.unit.actions.kubernetes_jobs import CONFIG_MAP, DEPLOYMENT, ROLLED_OUT, failure, job_for

OTHER = CONFIG_MAP.replace("settings", "other")
NEW = CONFIG_MAP.replace("settings", "new")
SETTINGS = "/api/v1/namespaces/team/configmaps/settings"
PARENT = "/api/v1/namespaces/team/secrets/site"
LATE = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": "too slow",
}
FAILED = "Deployment web: ProgressDeadlineExceeded: too slow"
ROLLBACK: dict[str, Any] = {"ApplySet": "site", "RollbackOnFailure": "true"}


def names(paths: list[str]) -> list[str]:
    return [path.rpartition("/")[2] for path in paths]


def test_failed_deploy_applies_what_succeeded_last_and_deletes_what_it_added(
    api: ApiServer, tmp_path: Path
) -> None:
    api.statuses["web"] = lambda _: {"conditions": [LATE]}
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, **ROLLBACK))
    changed = CONFIG_MAP.replace("'1'", "'2'")
    code, message = failure(
        job_for(tmp_path, {"a.yaml": "---\n".join([changed, NEW, DEPLOYMENT])}, **ROLLBACK)
    )
    assert (code, message) == ("JobFailed", f"{FAILED}; rolled back to what run shop-1 applied")
    assert api.objects[SETTINGS]["data"]["m"] == "1"
    assert names(api.deleted) == ["web", "new"]
    annotations = api.objects[PARENT]["metadata"]["annotations"]
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"


def test_object_that_stood_there_before_is_not_deleted(api: ApiServer, tmp_path: Path) -> None:
    api.statuses["web"] = lambda _: {"conditions": [LATE]}
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, **ROLLBACK))
    run(job_for(tmp_path, {"a.yaml": NEW}, Prune="false"))
    job = job_for(tmp_path, {"a.yaml": "---\n".join([CONFIG_MAP, NEW, DEPLOYMENT])}, **ROLLBACK)
    failure(job)
    assert names(api.deleted) == ["web"]
    assert "configmap/new kept: it stood there before" in job.lines


def test_failure_before_the_first_write_rolls_nothing_back(api: ApiServer, tmp_path: Path) -> None:
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, **ROLLBACK))
    api.refusals["other"], before = (422, "Invalid", "data is wrong"), list(api.applied)
    assert failure(job_for(tmp_path, {"a.yaml": OTHER}, **ROLLBACK)) == (
        "ConfigurationError",
        "a.yaml, document 1: ConfigMap other: data is wrong",
    )
    assert api.applied == before


def test_rollback_that_fails_tells_both_reasons(api: ApiServer, tmp_path: Path) -> None:
    api.statuses["web"] = lambda _: (
        api.refusals.update(settings=(403, "Forbidden", "no more")) or {"conditions": [LATE]}
    )
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, **ROLLBACK))
    code, message = failure(job_for(tmp_path, {"a.yaml": DEPLOYMENT}, **ROLLBACK))
    assert (code, message) == (
        "JobFailed",
        f"{FAILED}; the rollback to what run shop-1 applied failed, too: a.yaml, document 1: "
        f"ConfigMap settings: no more",
    )


def test_success_that_is_too_large_says_so_when_it_is_needed(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(success_module, "KEPT_BYTES", 2000)
    api.statuses["web"] = lambda _: {"conditions": [LATE]}
    large = CONFIG_MAP.replace("m: '1'", f"m: {secrets.token_hex(4000)}x")
    job = job_for(tmp_path, {"a.yaml": large}, **ROLLBACK)
    run(job)
    why = "it is too large to keep ("
    assert any(
        line.startswith(f"a later deploy cannot roll back to this one: {why}") for line in job.lines
    )
    _, message = failure(job_for(tmp_path, {"a.yaml": DEPLOYMENT}, **ROLLBACK))
    assert message.startswith(f"{FAILED}; not rolled back: of what run shop-1 applied: {why}")


@pytest.mark.parametrize(("generation", "is_failed"), [(2, False), (1, True)])
def test_failure_from_before_the_change_is_none_of_the_change(
    api: ApiServer, tmp_path: Path, generation: int, is_failed: bool
) -> None:
    """A Deployment that goes back to a ReplicaSet it had keeps
    ProgressDeadlineExceeded until that one is complete.
    """
    web = "/apis/apps/v1/namespaces/team/deployments/web"
    api.objects[web] = {
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "u", "generation": 1},
    }
    api.statuses["web"] = lambda reads: {"conditions": [LATE]} if reads < 4 else ROLLED_OUT
    manifest = DEPLOYMENT.replace("{name: web}", f"{{name: web, generation: {generation}}}")
    job = job_for(tmp_path, {"a.yaml": manifest})
    if is_failed:
        assert failure(job) == ("JobFailed", FAILED)
    else:
        assert run(job).summary == "1 objects applied to namespace team"


def test_what_is_kept_goes_when_rollback_is_turned_off(api: ApiServer, tmp_path: Path) -> None:
    """Else a deploy much later would go back to what nobody remembers."""
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, **ROLLBACK))
    assert api.objects[PARENT]["data"]
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}, ApplySet="site"))
    assert api.objects[PARENT]["data"] == {}


# An object that has items is a list: what is applied are the objects of one.
BODIES = st.dictionaries(
    st.text(max_size=9).filter(lambda key: key != "items"),
    st.text(max_size=99) | st.integers() | st.none(),
    max_size=5,
)


@given(st.text(min_size=1, max_size=20), st.lists(BODIES, min_size=1, max_size=5))
def test_success_is_read_as_it_was_kept(run_name: str, bodies: list[dict[str, Any]]) -> None:
    objects = [
        {**body, "apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}} for body in bodies
    ]
    success = LastApplied.of(run_name, [Manifest(body, "a.yaml, document 1") for body in objects])
    assert LastApplied.read(success.data()) == success


JUNK = st.binary(max_size=50) | st.sampled_from(
    ["[1]", "{}", '[{"body": {}}]', '[{"body": 1, "place": "x"}]']
).map(lambda text: zlib.compress(text.encode()))


@given(JUNK)
def test_data_that_is_none_of_ours_is_told(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    found = LastApplied.read({"run": base64.b64encode(b"run-1").decode(), "manifests": text})
    assert found is not None
    assert found.why_not.startswith("what the Secret keeps cannot be read")
