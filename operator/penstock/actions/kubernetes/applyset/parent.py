"""The parent of an ApplySet: a Secret in the target namespace that remembers the set's reach."""

from typing import Any

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.applyset.members import (
    ID_LABEL,
    TOOLING_ANNOTATION,
    Scope,
    applyset_id,
    is_ours,
)
from penstock.actions.kubernetes.applyset.success import LastApplied
from penstock.actions.kubernetes.live.objects import code_of
from penstock.actions.kubernetes.live.server import ApiError, ServedResource
from penstock.actions.kubernetes.live.session import Session

SECRETS = ServedResource("/api/v1", "secrets", True)
_TYPE = "penstock.dev/applyset"
_MANAGER = "penstock-applyset"
_CONTENT_MANAGER = "penstock-applyset-content"


class Parent:
    """One set's parent. ``reach`` is what it says; absent and empty are the same."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._name, self._namespace = session.options.applyset, session.options.namespace
        self.id = applyset_id(self._name, self._namespace)
        self.reach = Scope()
        self.document: dict[str, Any] = {}

    @property
    def title(self) -> str:
        """The parent as an error names it."""
        return f"ApplySet {self._name} in namespace {self._namespace}"

    def read(self) -> None:
        """Read the parent; refuse a Secret that this program did not make."""
        try:
            self.document = (
                self._session.server.find(SECRETS.path(self._namespace, self._name)) or {}
            )
        except ApiError as error:
            raise self.refused(error) from error
        annotations = (self.document.get("metadata") or {}).get("annotations") or {}
        if self.document and not is_ours(annotations):
            owner = annotations.get(TOOLING_ANNOTATION)
            whose = f"belongs to {owner}" if owner else "is no ApplySet"
            raise ActionError(
                CONFIGURATION_ERROR,
                f"{self.title}: the Secret of this name {whose}; set ApplySet to another name",
            )
        self.reach = Scope.read(annotations)

    @property
    def success(self) -> LastApplied | None:
        """The last success that was kept."""
        return LastApplied.read(self.document.get("data") or {})

    def keep(self, success: LastApplied | None) -> None:
        """Keep a success in the place of the last one, or none; the parent must exist."""
        if success is None and not self.document.get("data"):
            return
        # Another manager: a server-side apply takes away whatever its own manager no longer sends,
        # so that write() would remove the data.
        self._apply({}, _CONTENT_MANAGER, data=success.data() if success else {})

    def write(self, reach: Scope) -> None:
        """Say what the set reaches; nothing is sent when the parent says so already."""
        if self.document and reach == self.reach:
            return
        attempt = self._session.attempt
        annotations = {
            **reach.annotations(),
            "penstock.dev/pipeline": f"{attempt.namespace}/{attempt.pipeline}",
            "penstock.dev/action": f"{attempt.stage}/{attempt.action}",
        }
        labels = {ID_LABEL: self.id, "app.kubernetes.io/managed-by": "penstock"}
        self.document = self._apply({"labels": labels, "annotations": annotations}, _MANAGER)
        self.reach = reach

    def name_of(self, set_id: str) -> str:
        """Return another set's name by its parent in this namespace, or its id if not found."""
        try:
            found = self._session.server.metadata(
                SECRETS.path(self._namespace), f"{ID_LABEL}={set_id}"
            )
        # The name only makes a message clearer; a missing right here must not hide that message.
        except ApiError:
            return set_id
        return str(found[0].get("name")) if found else set_id

    def refused(self, error: ApiError) -> ActionError:
        """Return the server's sentence, and the Secret's purpose if the right to it is missing."""
        hint = ""
        if error.status in (401, 403):
            hint = (
                "; a deploy that prunes keeps a Secret: allow get and patch, or set Prune to "
                '"false"'
            )
        return ActionError(code_of(error), f"{self.title}: {error.message}{hint}")

    def _apply(self, metadata: dict[str, Any], manager: str, **fields: Any) -> dict[str, Any]:
        """Apply part of the parent under its own manager, which leaves other parts as they are."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": _TYPE,
            "metadata": {"name": self._name, "namespace": self._namespace, **metadata},
            **fields,
        }
        try:
            # By force, because read() has refused a Secret of anybody else.
            return self._session.server.apply(
                SECRETS.path(self._namespace, self._name), body, manager=manager, force=True
            )
        except ApiError as error:
            raise self.refused(error) from error
