"""Bug 07: waiting for what has been, or will not come."""

from pathlib import Path
from typing import Any

import pytest

from penstock.actions.kubernetes.execution import run
from penstock.actions.kubernetes.live.server import Server
from tests.unit.actions.api_server import ApiServer
from tests.unit.actions.kubernetes_jobs import DEPLOYMENT, failure, job_for

JOB = (
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nspec: "
    "{ttlSecondsAfterFinished: "
    "0}\n"
)
CLAIM = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n"
UID = "uid-of-/apis/batch/v1/namespaces/team/jobs/migrate"
GONE = "Job migrate was deleted while the action waited for it; how it ended cannot be told: "


def event(kind: str, *conditions: dict[str, Any], uid: str = UID) -> dict[str, Any]:
    """Return an event of a watch of the Job."""
    status = {"conditions": list(conditions)}
    found = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "uid": uid},
        "status": status,
    }
    return {"type": kind, "object": found}


COMPLETE = {"type": "Complete", "status": "True"}
FAILED = {
    "type": "Failed",
    "status": "True",
    "reason": "BackoffLimitExceeded",
    "message": "too often",
}


@pytest.fixture
def gone(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """Serve a Job that is gone when it is looked at the second time."""
    api.gone["migrate"] = lambda reads: reads > 1
    monkeypatch.setattr(Server, "_pause", lambda *_: None)
    return api


@pytest.mark.parametrize(
    "events",
    [
        [event("MODIFIED"), event("MODIFIED", COMPLETE), event("DELETED", COMPLETE)],
        [event("DELETED", COMPLETE)],
        [event("MODIFIED", COMPLETE), event("DELETED"), event("ADDED", uid="another")],
    ],
)
def test_bug_07_job_that_cleans_up_after_itself_has_succeeded(
    gone: ApiServer, tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    gone.histories["migrate"] = events
    assert run(job_for(tmp_path, {"a.yaml": JOB})).summary == "1 objects applied to namespace team"


@pytest.mark.parametrize("is_told_by", ["watch", "events"])
def test_bug_07_job_that_failed_and_went_has_failed(
    gone: ApiServer, tmp_path: Path, is_told_by: str
) -> None:
    if is_told_by == "watch":
        gone.histories["migrate"] = [event("MODIFIED", FAILED), event("DELETED", FAILED)]
    else:
        gone.events = [
            {"reason": "SuccessfulCreate"},
            {"reason": "BackoffLimitExceeded", "message": "too often"},
        ]
    assert failure(job_for(tmp_path, {"a.yaml": JOB})) == (
        "JobFailed",
        "Job migrate: BackoffLimitExceeded: too often",
    )


def test_bug_07_events_tell_where_no_watch_is_allowed(gone: ApiServer, tmp_path: Path) -> None:
    gone.events = [
        {"reason": "SuccessfulCreate"},
        {"reason": "Completed", "message": "Job completed"},
    ]
    assert run(job_for(tmp_path, {"a.yaml": JOB})).summary == "1 objects applied to namespace team"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event("MODIFIED"), event("DELETED")],
        [event("DELETED", COMPLETE, uid="another")],
        [{"type": "ERROR"}],
    ],
)
def test_bug_07_job_that_somebody_deleted_has_not_succeeded(
    gone: ApiServer, tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    """Absence is no evidence."""
    gone.histories["migrate"] = events
    code, message = failure(job_for(tmp_path, {"a.yaml": JOB}))
    assert (code, message.startswith(GONE)) == ("JobFailed", True)


def test_bug_07_object_that_is_being_deleted_is_not_waited_for(
    api: ApiServer, tmp_path: Path
) -> None:
    path = "/apis/apps/v1/namespaces/team/deployments/web"
    original = api._stored

    def stored(at: str, body: Any, manager: str) -> dict[str, Any]:
        found = original(at, body, manager)
        if at == path:
            found["metadata"] |= {"deletionTimestamp": "now", "finalizers": ["example.com/held"]}
        return found

    api._stored = stored  # type: ignore[method-assign, assignment]
    assert failure(job_for(tmp_path, {"a.yaml": DEPLOYMENT})) == (
        "JobFailed",
        "Deployment web: the object is being deleted, and what was applied goes with it "
        "(finalizers: example.com/held); deploy again when it is gone",
    )


def test_bug_07_deployment_that_asks_to_be_paused_is_not_waited_for(
    api: ApiServer, tmp_path: Path
) -> None:
    api.statuses["web"] = lambda _: {}
    text = DEPLOYMENT.replace("replicas: 1", "replicas: 1, paused: true")
    assert run(job_for(tmp_path, {"a.yaml": text})).summary == "1 objects applied to namespace team"


def test_bug_07_deployment_that_somebody_paused_says_so(api: ApiServer, tmp_path: Path) -> None:
    original = api._stored

    def stored(at: str, body: Any, manager: str) -> dict[str, Any]:
        found = original(at, body, manager)
        return (
            {**found, "spec": {**found["spec"], "paused": True}} if at.endswith("/web") else found
        )

    api._stored = stored  # type: ignore[method-assign, assignment]
    code, message = failure(job_for(tmp_path, {"a.yaml": DEPLOYMENT}))
    assert (
        code,
        "it is paused (replicas: 0/1); resume it with kubectl rollout resume" in message,
    ) == (
        "JobFailed",
        True,
    )


def test_bug_07_claim_without_a_consumer_is_not_waited_for(api: ApiServer, tmp_path: Path) -> None:
    api.statuses["data"] = lambda _: {"phase": "Pending"}
    api.events = [{"reason": "WaitForFirstConsumer"}]
    assert (
        run(job_for(tmp_path, {"a.yaml": CLAIM})).summary == "1 objects applied to namespace team"
    )
