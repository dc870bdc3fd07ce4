"""What triggers read of objects that anybody may have written, and what they write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.kinds.run import PipelineRunSpec
from penstock.triggers.decide import NewRun, StartedRun, State, View, creation_run
from penstock.triggers.observations import CLOSED_PULL_REQUEST, Taken
from penstock.triggers.pipelines import pipeline_uid_of, readable, run_of, started_run_of, status_of

VIEW = View("web", "uid-1", wants_start=True, last_run=None, state=State())
RUN = NewRun(
    "web-1", "PollForSourceChanges", "source Fetch changed to B", ("Source", "Fetch"), "B", 8
)


def pipeline(**status: Any) -> dict[str, Any]:
    action = {
        "name": "A",
        "actionTypeId": {"category": "Compute", "provider": "Commands"},
        "commands": ["true"],
    }
    ready = {"type": "Ready", "status": "True", "reason": "Valid"}
    return {
        "metadata": {"name": "web", "namespace": "team", "uid": "uid-1", "generation": 2},
        "spec": {"stages": [{"name": "Build", "actions": [action]}]},
        "status": {"observedGeneration": 2, "conditions": [ready], **status},
    }


def test_run_tells_the_change_that_started_it() -> None:
    assert started_run_of(run_of(VIEW, RUN)) == StartedRun("uid-1", ("Source", "Fetch"), "B", 8)
    assert run_of(VIEW, RUN)["spec"].keys() == {"pipelineRef", "trigger"}, (
        "all sources run again (X-20)"
    )


def filtered(ref: str, revision: str) -> NewRun:
    taken = Taken(revision, ref, f"{ref} changed to {revision}")
    return replace(RUN, trigger="WebhookV2", revision=revision, ref=ref, taken=taken)


def test_g_09_run_of_a_filter_pins_the_commit_and_names_the_branch() -> None:
    run = run_of(VIEW, filtered("refs/heads/feature/x", "c" * 40))
    assert run["spec"]["sourceRevisions"] == [
        {
            "actionName": "Fetch",
            "revisionType": "COMMIT_ID",
            "revisionValue": "c" * 40,
            "ref": "refs/heads/feature/x",
        }
    ]
    assert started_run_of(run) == StartedRun(
        "uid-1", ("Source", "Fetch"), "c" * 40, 8, "refs/heads/feature/x"
    )
    PipelineRunSpec.model_validate(run["spec"])


@pytest.mark.parametrize(
    ("ref", "revision"),
    [
        ("refs/heads/main", "--depth=1000000"),
        ("refs/heads/main", "c" * 41),
        ("--upload-pack=x", "c" * 40),
        ("refs/heads/a..b", "c" * 40),
        ("refs/heads/" + "x" * 300, "c" * 40),
        ("refs/pull/7/head", "c" * 40),
        ("refs/pull/7", "open"),
        ("refs/heads/main", "closed"),
    ],
)
def test_forged_run_of_a_filter_says_nothing(ref: str, revision: str) -> None:
    assert started_run_of(run_of(VIEW, filtered(ref, revision))) is None


def test_g_09_run_of_a_pull_request_pins_its_head_and_is_known_by_the_pull_request() -> None:
    for revision in ("c" * 40, CLOSED_PULL_REQUEST):
        of_head = filtered("refs/pull/7", revision)
        taken = Taken("d" * 40, "refs/heads/feature", "pull request 7")
        run = run_of(VIEW, replace(of_head, taken=taken))
        (pinned,) = run["spec"]["sourceRevisions"]
        assert (pinned["revisionValue"], pinned["ref"]) == ("d" * 40, "refs/heads/feature")
        assert started_run_of(run) == StartedRun(
            "uid-1", ("Source", "Fetch"), revision, 8, "refs/pull/7"
        )
        PipelineRunSpec.model_validate(run["spec"])


@pytest.mark.parametrize("sequence", ["", "-1", "1e3", "x", "٣", "9" * 30, "1\n"])
def test_sequence_that_is_no_number_says_nothing(sequence: str) -> None:
    run = run_of(VIEW, RUN)
    run["metadata"]["annotations"]["penstock.dev/source-sequence"] = sequence
    assert started_run_of(run) is None
    created = run_of(VIEW, creation_run(VIEW))
    assert started_run_of(created) == StartedRun("uid-1")
    assert started_run_of({"metadata": {}}) is None


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"conditions": []}, False),
        (
            {"conditions": [{"type": "Ready", "status": "False", "reason": "InvalidPipeline"}]},
            False,
        ),
        ({"sources": "nonsense"}, False),
    ],
)
def test_only_a_ready_pipeline_is_looked_at(change: dict[str, Any], is_read: bool) -> None:
    assert (readable(pipeline(**change)) is not None) is is_read


def test_pipeline_that_is_going_or_has_no_spec_is_left_alone() -> None:
    going = pipeline()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert readable(going) is None
    assert readable({**pipeline(), "spec": {}}) is None


def test_status_is_applied_to_this_very_pipeline_and_holds_nothing_else() -> None:
    applied = status_of(pipeline(), State(True, ()))
    assert applied["metadata"] == {"name": "web", "namespace": "team", "uid": "uid-1"}
    assert applied["status"] == {"sources": [], "startedOnCreate": True}


@pytest.mark.parametrize(
    ("run", "uid"),
    [
        ({"status": {"pipelineUid": "uid-0"}}, "uid-0"),
        ({"status": {}}, ""),
        ({"status": None}, ""),
        ({}, ""),
    ],
)
def test_bug_18_run_tells_which_pipeline_it_executes_once_it_is_admitted(
    run: dict[str, Any], uid: str
) -> None:
    assert pipeline_uid_of(run) == uid
