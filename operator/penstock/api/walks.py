"""Walks over the stages of a Pipeline, or of what a run executes."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from penstock.api.kinds.pipeline import Action, Stage


class HasStages(Protocol):
    """A PipelineSpec, or the definition that a run executes."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages, in the order in which a run goes through them."""


class Placed(NamedTuple):
    """An action with its path in the spec, and the stage that it is in."""

    path: str
    stage: Stage
    action: Action


def stage_names(of: HasStages) -> list[str]:
    """Return the names of the stages in their order."""
    return [stage.name for stage in of.stages]


def placed_actions(of: HasStages) -> Iterator[Placed]:
    """Yield every action, with its path."""
    for number, stage in enumerate(of.stages):
        for index, action in enumerate(stage.actions):
            yield Placed(f"spec.stages[{number}].actions[{index}]", stage, action)


def no_such_stage(name: str, of: HasStages) -> str | None:
    """Return the sentence that names the stages there are; None if the named one is among them."""
    names = stage_names(of)
    if name in names:
        return None
    return f'the pipeline has no stage "{name}"; it has {", ".join(names)}'
