"""`penstock logs`: never silent, never false, and to the end (first hour, 1, 2 and 12)."""

from __future__ import annotations

import pytest

from penstock.api.contract.contracts import Attempt
from penstock.api.contract.keys import log_key
from penstock.cli.commands.logs import Place
from tests.support.command import CORE, GROUP, Command, action, pipeline, row, run, stage
from tests.support.fake_api import Answer, Document, Seen

LOG = f"{CORE}/pods/pod/log"
STORE = {"type": "S3", "location": "artifacts", "endpoint": "http://s3:9000"}
KEY = log_key(Attempt("team", "web", "p-uid", "run", "run-uid", "Build", "Make", 1, 1), "pod-uid")


def have(penstock: Command, *rows: Document, state: str = "Succeeded", **status: str) -> None:
    """Let there be a run whose action Make has these tries, and a Pipeline with two stages."""
    penstock.have("pipelines", pipeline("web", "Build", "Prod"))
    penstock.have(
        "pipelineruns", run("run", state, stage("Build", action("Make", *rows)), **status)
    )
    penstock.api.put(f"{CORE}/pods", [])


STORED = row(jobName="job", hasLog=True, podUid="pod-uid")


def test_first_hour_01_log_of_a_pod_that_is_gone_is_told_by_bucket_endpoint_and_key(
    penstock: Command,
) -> None:
    have(penstock, STORED, revision="web-1")
    path = "/apis/apps/v1/namespaces/team/controllerrevisions/web-1"
    penstock.api.put(path, {"kind": "ControllerRevision", "data": {"artifactStore": STORE}})
    code, out, err = penstock("logs", "run")
    where = f"in the bucket artifacts at http://s3:9000 as {KEY}"
    assert (code, out, err) == (
        1,
        "",
        f"penstock: Build/Make: its pod is gone; its log is stored {where}\n",
    )


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"artifactStore": STORE}, "in the bucket artifacts at http://s3:9000 as "),
        ({"artifactStores": {"eu-west-1": {"location": "a-b", "region": "eu-west-1"}}},
        "bucket a-b in eu-west-1 as "),
        ({"artifactStore": {"type": "Volume", "location": "claim"}}, "in the volume claim as "),
        ({}, "in the operator's default store (the chart's defaultArtifactStore) as "),
    ],
)  # fmt: skip
def test_first_hour_01_store_is_told_from_the_pipeline_where_the_revision_cannot_be_read(
    penstock: Command, spec: Document, told: str
) -> None:
    have(penstock, STORED, revision="web-1")
    penstock.have("pipelines", pipeline("web", "Build", **spec))
    code, _, err = penstock("logs", "run")
    assert (code, told + KEY in err) == (1, True), err


def test_first_hour_01_log_that_was_never_stored_is_not_claimed_to_be(penstock: Command) -> None:
    have(penstock, row("Failed", jobName="job", podUid="pod-uid"))
    told = "penstock: Build/Make: no log: its pod is gone, and none was stored (Failed)\n"
    assert penstock("logs", "run") == (1, "", told)


def test_what_is_there_is_shown_and_the_exit_code_tells_that_something_is_not(
    penstock: Command,
) -> None:
    have(penstock, row("Unknown", jobName="lost"), {**row(jobName="job"), "try": 2})

    def pods(seen: Seen) -> Answer:
        is_lost = "job-name=lost" in seen.query["labelSelector"][0]
        return 200, {"kind": "PodList", "items": [] if is_lost else [{"metadata": {"name": "pod"}}]}

    penstock.api.answers["GET", f"{CORE}/pods"] = pods
    penstock.api.answers["GET", LOG] = 200, b"2026-11-21T12:00:00.000000001Z shown\n"
    code, out, err = penstock("logs", "run")
    assert (code, out) == (1, "[Build/Make] shown\n")
    assert "Build/Make: no log: its pod is gone, and none was stored (Unknown)" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("logs", "run", "Nope"), 'ActionNotFound: run run has no action "Nope"; there is Make'),
        (("logs", "run", "Mkae"), 'did you mean "Make"?'),
        (("logs", "run", "Build/Mkae"), 'did you mean "Build/Make"?'),
        (("reports", "run", "--action", "Nope"), "ActionNotFound: "),
        (("logs", "run", "Prod/Make"), "run run is Succeeded, action Prod/Make has not started"),
        (("logs", "rnu"), 'did you mean "run"?'),
        (
            ("logs", "web"),
            "web is a Pipeline: name one of its runs, which `penstock runs web` shows",
        ),
        (("describe", "web"), "web is a Pipeline"),
        (("watch", "web"), "web is a Pipeline"),
        (("stop", "web"), "web is a Pipeline"),
        (("retry", "web", "Build"), "web is a Pipeline"),
        (("start", "wbe"), 'did you mean "web"?'),
        (("runs", "wbe"), 'did you mean "web"?'),
        (("describe", ".."), '".." is no name'),
    ],
)
def test_first_hour_12_name_that_is_not_there_is_an_error_that_says_what_is(
    penstock: Command, arguments: tuple[str, ...], said: str
) -> None:
    have(penstock, STORED)
    code, out, err = penstock(*arguments)
    assert (code, out, said in err) == (1, "", True), err
    assert not penstock.written()


@pytest.mark.parametrize(
    "arguments", [("runs",), ("runs", "web"), ("logs", "run"), ("approve", "run"), ("start", "web")]
)
def test_first_hour_12_namespace_that_is_not_there_is_an_error_in_every_command(
    penstock: Command, arguments: tuple[str, ...]
) -> None:
    missing = {"kind": "Status", "message": 'namespaces "nope" not found'}
    for plural in ("pipelineruns", "pipelines", "approvals"):
        penstock.api.put(f"{GROUP}/{plural}".replace("team", "nope"), [])
    penstock.api.answers["GET", "/api/v1/namespaces/nope"] = 404, missing
    penstock.api.put("/api/v1/namespaces", [{"metadata": {"name": "team"}}])
    code, out, err = penstock("-n", "nope", *arguments)
    assert (code, out, err) == (1, "", 'penstock: namespaces "nope" not found; there is team\n')


def test_no_runs_is_said_with_the_namespace(penstock: Command) -> None:
    penstock.have("pipelines", pipeline())
    assert penstock("runs") == (0, "no runs in namespace team\n", "")
    assert penstock("runs", "web") == (0, "no runs of web in namespace team\n", "")


def test_log_of_what_has_not_started_says_so(penstock: Command) -> None:
    have(penstock, row("InProgress", jobName="job"), state="InProgress")
    code, out, err = penstock("logs", "run")
    assert (code, out, err) == (1, "", "penstock: Build/Make: no log: it has no pod yet\n")
    penstock.api.put(f"{CORE}/pods", [{"metadata": {"name": "pod"}}])
    waiting = {
        "kind": "Status",
        "message": "container agent is waiting to start: ContainerCreating",
    }
    penstock.api.answers["GET", LOG] = 400, waiting
    assert "waiting to start: ContainerCreating" in penstock("logs", "run")[2]
    penstock.api.answers["GET", LOG] = 403, {"kind": "Status", "message": "pods/log is forbidden"}
    assert penstock("logs", "run") == (1, "", "penstock: pods/log is forbidden\n")


def line(second: int, text: str) -> bytes:
    return f"2026-11-21T12:00:{second:02d}.000000001Z {text}\n".encode()


def test_first_hour_02_follow_goes_on_when_the_stream_ends_before_the_action(
    penstock: Command,
) -> None:
    """The connection breaks off, ends, and lies idle; each time the log is
    asked for from where it was.
    """
    have(penstock, row("InProgress", jobName="job"), state="InProgress")
    penstock.api.put(f"{CORE}/pods", [{"metadata": {"name": "pod"}}])
    answers: list[Answer] = [
        (200, [line(1, "one"), line(2, "two"), b"2026-11-21T12:00:02.0000"]),
        (200, line(2, "two") + line(2, "same time") + line(3, "three")),
        (503, {"kind": "Status", "message": "the kubelet is away"}),
        (200, line(3, "three")),
    ]
    asked: list[Seen] = []

    def log(seen: Seen) -> Answer:
        asked.append(seen)
        if answers:
            return answers.pop(0)
        ended = row(jobName="job")
        penstock.have(
            "pipelineruns", run("run", "Succeeded", stage("Build", action("Make", ended)))
        )
        return 200, line(3, "three") + line(4, "last")

    penstock.api.answers["GET", LOG] = log
    penstock.patch.setattr("penstock.cli.commands.logs._PAUSE_S", 0.01)
    code, out, err = penstock("logs", "run", "-f")
    assert code == 0, err
    assert out.splitlines() == [
        f"[Build/Make] {text}" for text in ("one", "two", "same time", "three", "last")
    ]
    since = [seen.query.get("sinceTime", [""])[0] for seen in asked]
    assert since[:3] == ["", "2026-11-21T12:00:02Z", "2026-11-21T12:00:03Z"]
    assert asked[-1].query["follow"] == ["false"], "what came after the stream's end is fetched"


def test_follow_that_gives_up_says_what_it_waited_for(penstock: Command) -> None:
    have(penstock, row("InProgress", jobName="job"), state="InProgress")
    code, _, err = penstock("logs", "run", "-f", "--timeout", "0")
    assert (code, err) == (
        4,
        "penstock: gave up after 0 s: run run has not ended as far as is known\n",
    )


@pytest.mark.parametrize("zone", ["Z", "+02:00", "-07:00"])
def test_place_asks_in_the_zone_of_the_log_and_skips_what_was_printed(zone: str) -> None:
    place = Place()

    def lines(*parts: str) -> list[str]:
        return list(
            place.new(iter(f"2026-11-21T12:00:{part[:12]}{zone} {part[12:]}" for part in parts))
        )

    assert lines("01.000000001a", "01.000000001b", "01.000000002c") == ["a", "b", "c"]
    assert place.query["sinceTime"] == f"2026-11-21T12:00:01{zone}"
    assert lines(
        "01.000000001a", "01.000000001b", "01.000000002c", "01.000000002d", "01.100000000e"
    ) == ["d", "e"]
    assert lines("01.000000002d", "01.100000000e", "01.100000000e", "02.000000000f") == ["e", "f"]
