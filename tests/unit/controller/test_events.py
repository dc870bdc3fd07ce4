"""The names of Events: the API server takes a part of a name only if it
begins and ends with a letter or digit.
"""

import re

from hypothesis import given
from hypothesis import strategies as st

from penstock.controller.events import event_manifest
from penstock.engine.commands import EmitEvent

NAMES = st.from_regex(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", fullmatch=True
).filter(lambda name: len(name) <= 253)
PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def name_of(run: str) -> str:
    return str(
        event_manifest("team", EmitEvent("PipelineRun", run, "uid", "R", "m"), "me")["metadata"][
            "name"
        ]
    )


@given(NAMES)
def test_weak_event_of_any_run_has_a_name_that_the_server_takes(run: str) -> None:
    assert re.fullmatch(rf"{PART}(\.{PART})*", name_of(run))
    assert len(name_of(run)) <= 253


def test_weak_event_of_a_run_whose_name_is_cut_at_a_dash_is_recorded() -> None:
    for cut in ("-", ".", "-" * 9):
        run = "a" * (201 - len(cut)) + cut + "b" * 20
        assert re.fullmatch(rf"{PART}(\.{PART})*", name_of(run))
