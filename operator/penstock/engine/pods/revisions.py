"""Freezes what an attempt is made with, as a run's definition is frozen.

That is its BuildProject, its ActionType or its Connection.

Each is read once, when an attempt starts. Its spec goes into a ControllerRevision named by its
content, and the attempt's execution names it, its uid, generation and revision: a Job that must be
created again, or a further try after a lost pod, is built from the same spec, whatever became of
the object meanwhile.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from penstock.actions.declaration import Declaration, declaration_of
from penstock.actions.git.hosts.connections import ConnectionObject, NoConnectionError, find
from penstock.api.kinds.action_type import FrozenActionType
from penstock.api.kinds.build_project import BuildProjectSpec, FrozenBuildProject
from penstock.api.kinds.connection import ConnectionSpec, FrozenConnection
from penstock.api.kinds.pipeline import Action
from penstock.api.names import child_name
from penstock.api.status.executions import ActionExecution
from penstock.engine.definition.errors import RequestError
from penstock.engine.definition.revisions import controller_revision, pipeline_owner
from penstock.engine.objects.action_types import DATA as TYPE_DATA
from penstock.engine.objects.action_types import ActionTypeError, ActionTypes, is_custom, unknown
from penstock.engine.objects.build_projects import BuildProjectObject
from penstock.engine.pods.context import UsedConnection

_DATA = "buildProject"
_CONNECTION = "connection"


@dataclass(slots=True)
class Freezer:
    """The frozen objects of one pass.

    Executions name them. Those that this pass adds are in ``revisions``.
    """

    namespace: str
    pipeline: str
    projects: Mapping[str, BuildProjectObject]
    frozen: dict[str, BuildProjectSpec]
    known: Mapping[str, int]
    now: datetime
    types: ActionTypes = field(default_factory=ActionTypes)
    frozen_types: dict[str, Declaration] = field(default_factory=dict)
    connections: Iterable[ConnectionObject] = ()
    frozen_connections: dict[str, ConnectionSpec] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: Mapping[str, Any] = field(default_factory=dict)
    """What the server refused, by name: a ControllerRevision among them is not asked for again."""

    def freeze(self, project_name: str, pipeline_uid: str) -> FrozenBuildProject:
        """Return an execution's record of the project; raise RequestError.

        Its ControllerRevision is made if needed.
        """
        project = self.projects.get(project_name)
        if project is None:
            message = f"there is no BuildProject {project_name} in namespace {self.namespace}"
            raise RequestError("ConfigurationError", message)
        if project.spec is None:
            raise RequestError(
                "ConfigurationError", f"BuildProject {project_name}: {project.unreadable}"
            )
        name = self._keep(project.name, pipeline_uid, {_DATA: project.spec.to_dict()})
        self.frozen[name] = project.spec
        return FrozenBuildProject(
            name=project.name, uid=project.uid, generation=project.generation, revision=name
        )

    def projects_of(self, execution: ActionExecution) -> dict[str, BuildProjectSpec]:
        """Return the project of an execution, by its name.

        It is empty if there is none, or it is gone.
        """
        wanted = execution.build_project
        spec = self.frozen.get(wanted.revision) if wanted else None
        return {wanted.name: spec} if wanted and spec else {}

    def freeze_connection(self, arn: str, pipeline_uid: str) -> FrozenConnection:
        """Return an execution's record of the Connection that an ARN means; raise RequestError.

        Its ControllerRevision is made if needed.
        """
        try:
            found, spec = find(self.connections, arn)
        except NoConnectionError as error:
            raise RequestError("ConfigurationError", str(error)) from error
        name = self._keep(found.name, pipeline_uid, {_CONNECTION: spec.to_dict()})
        self.frozen_connections[name] = spec
        return FrozenConnection(
            name=found.name, uid=found.uid, generation=found.generation, revision=name
        )

    def connection_of(self, execution: ActionExecution) -> UsedConnection | None:
        """Return the Connection of an execution, None if there is none, or it is gone."""
        wanted = execution.connection
        spec = self.frozen_connections.get(wanted.revision) if wanted else None
        return UsedConnection(wanted.name, spec) if wanted and spec else None

    def freeze_type(self, action: Action, pipeline_uid: str) -> FrozenActionType:
        """Return an execution's record of an action's ActionType; raise RequestError.

        Its revision is made if needed.
        """
        try:
            found, declared = self.types.find(action.action_type_id)
        except ActionTypeError as error:
            raise RequestError("ConfigurationError", str(error)) from error
        assert found.spec is not None
        name = self._keep(found.name, pipeline_uid, {TYPE_DATA: found.spec.to_dict()})
        self.frozen_types[name] = declared
        return FrozenActionType(
            kind=found.kind,
            name=found.name,
            uid=found.uid,
            generation=found.generation,
            revision=name,
        )

    def declared_of(self, action: Action, execution: ActionExecution) -> Declaration | None:
        """Return the declaration that an execution's attempt was started with.

        Later changes of the ActionType do not count.
        """
        if not is_custom(action):
            return declaration_of(action.action_type_id)
        frozen = (
            self.frozen_types.get(execution.action_type.revision) if execution.action_type else None
        )
        # A try under way still ends by its own result, though its ActionType is gone.
        return frozen or unknown(action.action_type_id)

    def _keep(self, readable: str, pipeline_uid: str, data: dict[str, Any]) -> str:
        """Return the name of the ControllerRevision that holds the data, having seen to it."""
        name = child_name(readable, pipeline_uid, json.dumps(data, sort_keys=True))
        # A revision that exists was let in since: the refusal is out of date.
        if name not in self.known and (refused := self.refused.get(name)):
            raise RequestError(
                refused.reason, f"the API server refuses the ControllerRevision: {refused.message}"
            )
        if name not in self.known and name not in self.revisions:
            owner = pipeline_owner(self.pipeline, pipeline_uid)
            # Objects count their generations each for itself; the time says which revision is
            # older.
            number = int(self.now.timestamp())
            self.revisions[name] = controller_revision(self.namespace, owner, name, data, number)
        return name


def is_frozen_object(data: Mapping[str, Any]) -> bool:
    """Return whether a ControllerRevision holds a project, an ActionType or a Connection.

    Otherwise it holds a definition.
    """
    return _DATA in data or TYPE_DATA in data or _CONNECTION in data


def thaw(data: Mapping[str, Any]) -> BuildProjectSpec | None:
    """Return the project that a ControllerRevision holds, or None if it is unreadable.

    None also if it holds no project.
    """
    try:
        return BuildProjectSpec.model_validate(data[_DATA])
    except (KeyError, ValidationError):
        return None


def thaw_connection(data: Mapping[str, Any]) -> ConnectionSpec | None:
    """Return the Connection that a ControllerRevision holds, or None if it is unreadable.

    None also if it holds no Connection.
    """
    try:
        return ConnectionSpec.model_validate(data[_CONNECTION])
    except (KeyError, ValidationError):
        return None
