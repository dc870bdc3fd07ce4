"""A source that is looked at, and what a look at it has seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CREATE_PIPELINE = "CreatePipeline"
START = "StartPipelineExecution"
POLL = "PollForSourceChanges"
WEBHOOK, WEBHOOK_V2 = "Webhook", "WebhookV2"

Key = tuple[str, str]
"""Stage and action."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source action that is polled; ``identity`` is a hash of where the source is.

    ``trigger`` is what CodePipeline calls that which starts a run for it.
    """

    stage: str
    action: str
    identity: str
    trigger: str = POLL
    is_filtered: bool = False
    """Whether a trigger's filters watch it, and not one branch or object."""

    @property
    def key(self) -> Key:
        """Stage and action."""
        return self.stage, self.action


@dataclass(frozen=True, slots=True)
class Seen:
    """The source was looked at; ``revision`` is empty if there is none, and ``error`` says so."""

    revision: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The source could not be looked at."""

    error: str


CLOSED_PULL_REQUEST = "closed"
"""Stands where else the commit of a pull request does, until it is forgotten."""


class Taken(NamedTuple):
    """A change that a filter takes: what the run executes (G-09), and what people are told.

    ``ref`` is the branch or tag that the commit stands on.
    """

    commit: str
    ref: str
    detail: str


@dataclass(frozen=True, slots=True)
class RefsSeen:
    """The branches, tags and pull requests that a trigger's filters watch, each with its commit.

    ``starting`` are those whose change the filters take. ``undecided`` are those whose change is
    judged by another look: soon if ``is_partial``, else in its time, as ``error`` tells why.
    """

    refs: Mapping[str, str]
    starting: Mapping[str, Taken] = field(default_factory=dict)
    undecided: frozenset[str] = frozenset()
    is_partial: bool = False
    error: str = ""


Observation = Seen | RefsSeen | Failed
