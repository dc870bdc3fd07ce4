"""The definition of a run: the frozen part of a Pipeline's spec, its hash, the action order.

A `Definition` is everything an action needs. It is stored in a
ControllerRevision owned by the Pipeline and named by its content, so that an
edit, or a re-sync that edits nothing, never changes a run under way.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from penstock.api.kinds.pipeline import (
    Action,
    ArtifactStore,
    ExecutionMode,
    PipelineSpec,
    Stage,
    VariableDeclaration,
)
from penstock.api.model import Model
from penstock.api.names import hash_of
from penstock.api.walks import stage_names


class Definition(Model):
    """The part of a PipelineSpec that runs execute."""

    stages: tuple[Stage, ...]
    execution_mode: ExecutionMode
    artifact_store: ArtifactStore | None = None
    variables: tuple[VariableDeclaration, ...] = ()
    service_account_name: str | None = None
    role_arn: str | None = None

    def stage(self, name: str) -> Stage:
        """Return the stage of that name. KeyError means that another definition made the status."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def stage_after(self, name: str | None) -> Stage | None:
        """Return the stage after the named one, the first for None, None after the last."""
        names = stage_names(self)
        index = 0 if name is None else names.index(name) + 1
        return self.stages[index] if index < len(names) else None


def definition_of(spec: PipelineSpec, default_store: ArtifactStore | None) -> Definition:
    """Return what a run started now would execute."""
    return Definition(
        stages=spec.stages,
        execution_mode=spec.mode,
        artifact_store=spec.store or default_store,
        variables=spec.variables,
        service_account_name=spec.service_account_name,
        role_arn=spec.role_arn,
    )


def thaw_definition(data: Mapping[str, Any] | None) -> Definition | None:
    """Return the definition that a ControllerRevision holds, or None if it is unreadable.

    None also if there is no definition in it.
    """
    try:
        return Definition.model_validate(data) if data is not None else None
    except ValidationError:
        return None


def groups_of(stage: Stage) -> Iterator[tuple[Action, ...]]:
    """Yield a stage's actions in groups of runOrder, ascending (X-23); gaps are legal (V-24)."""
    ordered = sorted(stage.actions, key=lambda action: action.order)
    return (tuple(group) for _, group in groupby(ordered, key=lambda action: action.order))


def spec_hash(document: Any) -> str:
    """Return the hash by which a Job is known to be the one that the engine wanted."""
    # The API server gives a document back with its keys in another order.
    return hash_of(json.dumps(document, sort_keys=True))
