"""What the tests of failures share: pipelines that are started together, and
one way to look at how each ended.

A failure counts as shown only if a user sees it where users look: the run's state, its conditions,
its one-line summary and the action's error details all tell the same, and nothing keeps running.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.api.text import shorten
from tests.cluster import Cluster
from tests.e2e.conftest import Team, stage
from tests.support.install import make_store_secret
from tests.support.kube import Document, Kube, eventually

STAGE = "Work"
ACTION = "Do"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failing:
    """A pipeline of stage Work, whose action Do must fail.

    ``before`` are actions of a stage before it, ``beside`` those of its own stage.
    ``message`` is the whole sentence, or a pattern where a part of it is not ours to say.
    """

    name: str
    action: Document
    code: str
    message: str | re.Pattern[str]
    before: tuple[Document, ...] = ()
    beside: tuple[Document, ...] = ()
    spec: Document = field(default_factory=dict)
    run: Document = field(default_factory=dict)
    seconds: float = 180.0

    def __str__(self) -> str:
        return self.name

    @property
    def stages(self) -> tuple[Document, ...]:
        """The stages of the pipeline."""
        return (
            *((stage("Before", *self.before),) if self.before else ()),
            stage(STAGE, *self.beside, self.action),
        )


@contextmanager
def new_team(cluster: Cluster, kube: Kube) -> Iterator[Team]:
    """Make a namespace that the tests of a whole module share."""
    with kube.namespace(f"e2e-{secrets.token_hex(4)}") as name:
        make_store_secret(cluster, kube, name)
        yield Team(cluster, kube, name)


def silent_host(team: Team, port: int) -> str:
    """Start a pod that takes connections and never says a word; return its address."""
    container = {
        "name": "silent",
        "image": "docker.io/library/busybox:1.35",
        "command": ["nc", "-ll", "-p", str(port), "-e", "sleep", "600"],
    }
    spec = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
    }
    team.kube.apply(
        [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "silent"}, "spec": spec}],
        team.namespace,
    )

    def address() -> str | None:
        status = team.kube.get("pods", team.namespace, "silent")["status"]
        return status.get("podIP") if status.get("phase") == "Running" else None

    found: str = eventually(address, 60, "the silent host is up")
    return found


def start_all(team: Team, cases: Iterable[Failing]) -> Team:
    """Start every pipeline at once: their waits pass together."""
    for case in cases:
        team.pipeline(case.name, *case.stages, wait=False, **case.spec)
        team.start(case.name, case.name, **case.run)
    return team


def assert_shown(team: Team, case: Failing) -> Document:
    """Wait until the run of a case has failed; check all that a user sees of it. Return the
    action's last try.
    """
    status = team.ended(case.name, case.seconds)
    _LOG.info("%s: %.1f s: %s", case.name, seconds_of(status), status["statusSummary"])
    last = team.execution(ACTION, case.name)
    details = last.get("errorDetails", {})
    assert (status["state"], details.get("code")) == ("Failed", case.code), details
    assert_says(details["message"], case.message)
    assert last["status"] == "Failed"
    assert_summary(status, case.code, f"{STAGE}/{ACTION}: {details['message']}")
    assert_nothing_runs(team, case.name)
    return last


def seconds_of(status: Document) -> float:
    """Return how long a run took, by its own account."""
    times = (datetime.fromisoformat(status[key]) for key in ("startTime", "completionTime"))
    started, ended = times
    return (ended - started).total_seconds()


def assert_says(text: str, wanted: str | re.Pattern[str]) -> None:
    """Check a message against a sentence or a pattern for all of it."""
    if isinstance(wanted, str):
        assert text == wanted
    else:
        assert wanted.fullmatch(text), f"{text!r} does not match {wanted.pattern!r}"


def assert_summary(status: Document, reason: str, message: str) -> None:
    """Check that summary and conditions say this, both ends of what is too long; the conditions
    name the log, too.
    """
    message = shorten(message, 500)
    assert status["statusSummary"] == message
    conditions = {item["type"]: item for item in status["conditions"]}
    for kind, value in (("Succeeded", "False"), ("Ready", "False"), ("Stalled", "True")):
        found = conditions[kind]
        assert (found["status"], found["reason"]) == (value, reason)
        assert re.fullmatch(
            re.escape(message) + r"( \(log: kubectl logs [a-z0-9.-]+\))?", found["message"]
        )
    assert "Reconciling" not in conditions


def assert_nothing_runs(team: Team, run: str) -> None:
    """Check that soon no container of a run is alive any more, and no Job counts one as active."""
    uid = team.run(run)["metadata"]["uid"]
    eventually(lambda: not living(team, uid), 30, f"the pods of run {run} ended")


def living(team: Team, run_uid: str) -> list[str]:
    """Return the Jobs and pods of a run that still run."""
    selector = f"penstock.dev/run-uid={run_uid}"
    jobs = [
        job
        for job in team.kube.objects("jobs", team.namespace, selector)
        if job["status"].get("active")
    ]
    pods = [
        pod
        for pod in team.kube.objects("pods", team.namespace, selector)
        if pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    return [item["metadata"]["name"] for item in (*jobs, *pods)]


def running_pod(team: Team, run: str, *, says: str, try_: int = 1) -> Document:
    """Wait until a try of the action has printed a line of its own, and return its pod."""

    def found() -> Document | None:
        execution = team.execution(ACTION, run)
        pod = team.pod_of(execution["jobName"]) if execution.get("try") == try_ else None
        return pod if pod and _printed(team, pod, says) else None

    pod: Document = eventually(found, 60, f"try {try_} of run {run} at work")
    return pod


def _printed(team: Team, pod: Document, line: str) -> bool:
    states: list[Any] = pod["status"].get("containerStatuses", [])
    if not any(state["name"] == "agent" and "running" in state["state"] for state in states):
        return False
    return line in team.kube.log(team.namespace, pod["metadata"]["name"]).splitlines()
