"""An action about to start, with everything that its request is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from penstock.actions.declaration import Declaration
from penstock.api.contract.contracts import Attempt
from penstock.api.kinds.build_project import BuildProjectSpec
from penstock.api.kinds.connection import ConnectionSpec
from penstock.api.kinds.pipeline import Action
from penstock.api.kinds.run import PipelineRunSpec
from penstock.engine.definition.frozen import Definition


class UsedConnection(NamedTuple):
    """The Connection that an action fetches through, as its attempt has it."""

    name: str
    spec: ConnectionSpec


@dataclass(frozen=True, slots=True)
class TryContext:
    """An action about to start, in its run. ``projects`` holds its BuildProject, if it needs one.

    ``ref`` is the branch or tag that ``revision`` was pushed to.
    ``source_revisions`` are what source actions have pinned by now, by output artifact.
    """

    attempt: Attempt
    action: Action
    declared: Declaration
    definition: Definition
    started: datetime
    revision: str | None = None
    ref: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Configuration from the run in place of the definition's (X-51).

    It is taken as it is, variables or not.
    """
    projects: Mapping[str, BuildProjectSpec] = field(default_factory=dict)
    connection: UsedConnection | None = None
    source_revisions: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> BuildProjectSpec | None:
        """The BuildProject that the action runs on, None if it needs none."""
        return next(iter(self.projects.values()), None)


def ref_of(spec: PipelineRunSpec | None, action: Action) -> str:
    """Return the branch or tag that a run's revision was pushed to, empty if none is told."""
    pinned = spec.source_revisions if spec else ()
    return next((item.ref for item in pinned if item.action_name == action.name and item.ref), "")


def revisions_of(
    spec: PipelineRunSpec | None, action: Action, declared: Declaration
) -> dict[str, str]:
    """Return a run's pinned revisions of a source, by configuration key.

    The revision itself is under the empty key.
    """
    keys = {item.revision_type: item.key for item in declared.overrides}
    return {
        keys[pinned.revision_type]: pinned.revision_value
        for pinned in (spec.source_revisions if spec else ())
        if pinned.action_name == action.name and pinned.revision_type in keys
    }
