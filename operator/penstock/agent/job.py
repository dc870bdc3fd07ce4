"""What a provider's execution gets to work with: the seam's `Job`, made real."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from penstock.actions.execution import TIMED_OUT, ActionError
from penstock.agent.container import ScriptContainer
from penstock.agent.objects import StoreObjects
from penstock.agent.output.log import Log
from penstock.agent.outputs import StoredOutputs, StoredReports
from penstock.agent.paths import Paths
from penstock.agent.script.control import Control
from penstock.agent.script.shell import Shell
from penstock.agent.workspace import Workspace
from penstock.api.contract.contracts import ActionRequest
from penstock.artifacts.store.store import Store


class AgentJob:
    """One try under way; see `penstock.actions.execution.Job`.

    ``deadline`` is in seconds of the monotonic clock.
    """

    def __init__(
        self,
        paths: Paths,
        request: ActionRequest,
        workspace: Workspace,
        log: Log,
        *,
        control: Control,
        store: Store,
        deadline: float,
    ) -> None:
        self.request = request
        self._paths, self._workspace, self._log, self._deadline = paths, workspace, log, deadline
        shell = Shell(control, log, request.limits, deadline)
        self.container = ScriptContainer(paths, request, workspace, log, shell)
        self.outputs = StoredOutputs(store, workspace, request.outputs)
        self.objects = StoreObjects(store, request, workspace.pod_uid)
        self.reports = StoredReports(store, workspace, paths.scratch, self.log)
        self.external_execution_id = ""
        self.external_execution_url = ""
        self.percent_complete: int | None = None

    @property
    def pod_uid(self) -> str:
        """The pod's uid."""
        return self._workspace.pod_uid

    @property
    def inputs(self) -> Mapping[str, Path]:
        """The folder of each input artifact."""
        return self._workspace.inputs

    @property
    def source(self) -> Path:
        """The folder that outputs are packed from."""
        return self._workspace.source

    @property
    def scratch(self) -> Path:
        """A folder that the action's container cannot see."""
        return self._paths.scratch

    @property
    def token_dir(self) -> Path:
        """The folder of the service account's token."""
        return self._paths.token

    def secret(self, key: str) -> Path | None:
        """Return the folder of a mounted Secret."""
        folder = self.request.secrets.get(key)
        return Path(folder) if folder else None

    def log(self, line: str) -> None:
        """Write a line of our own."""
        self._log.write_line(line)

    def mask(self, values: Iterable[str]) -> None:
        """Hide more values."""
        self._log.hide(values)

    @property
    def log_key(self) -> str:
        """The key of the log."""
        return self._workspace.log_key

    def remaining(self) -> float:
        """Return the seconds that are left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ActionError(TIMED_OUT, f"Timed out after {self.request.limits.timeout_s:g} s")
        return left

    def report_external_execution(
        self, external_execution_id: str, url: str = "", percent_complete: int | None = None
    ) -> None:
        """Keep the id, the link and the figure."""
        self.external_execution_id = external_execution_id
        self.external_execution_url = url
        self.percent_complete = percent_complete
