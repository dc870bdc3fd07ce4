"""One try of one action, and the command that creates its Job."""

from dataclasses import dataclass

from penstock.actions.declaration import Declaration
from penstock.api.kinds.pipeline import Action, Stage
from penstock.api.status.executions import ActionExecution
from penstock.engine.commands import Command, CreateJob


@dataclass(frozen=True, slots=True)
class Try:
    """One execution of one action, with everything needed to judge or to start it."""

    stage: Stage
    action: Action
    declared: Declaration
    execution: ActionExecution


def creates(command: Command, job: str) -> bool:
    """Whether a command creates a Job of that name."""
    return isinstance(command, CreateJob) and command.manifest["metadata"]["name"] == job
