"""What a try stores: output artifacts, and test reports."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from penstock.agent.workspace import Workspace
from penstock.api.contract.contracts import ArtifactLocation, ArtifactOrder, SuiteReport
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store.store import Store


class StoredOutputs:
    """Output artifacts in the artifact store; see `penstock.actions.execution.Outputs`."""

    def __init__(self, store: Store, workspace: Workspace, orders: Sequence[ArtifactOrder]) -> None:
        self._store, self._workspace = store, workspace
        self._orders = {order.name: order for order in orders}
        self._stored: dict[str, ArtifactLocation] = {}

    def folder(self, name: str) -> Path:
        """Make a folder for an artifact's content."""
        return self._workspace.output_folder(name)

    def store_folder(self, name: str, folder: Path) -> None:
        """Store an artifact from a folder."""
        order = self._orders.get(name, ArtifactOrder(name))
        self._stored[name] = self._workspace.store_output(self._store, order, folder)

    def store_files(self, name: str, files: Mapping[str, Sequence[str]]) -> None:
        """Store an artifact of single files."""
        self._stored[name] = self._workspace.store_files(self._store, name, files)

    def complete(self) -> tuple[ArtifactLocation, ...]:
        """Store the outputs the execution did not, from the source folder; return all in order."""
        return tuple(
            self._stored.get(name) or self._workspace.store_output(self._store, order)
            for name, order in self._orders.items()
        )


class StoredReports:
    """Test reports in the artifact store; see `penstock.actions.execution.Reports`."""

    def __init__(
        self, store: Store, workspace: Workspace, scratch: Path, log: Callable[[str], None]
    ) -> None:
        self._store, self._workspace, self._scratch, self._log = store, workspace, scratch, log
        self.stored: tuple[SuiteReport, ...] = ()

    def store(self, report: SuiteReport, document: bytes) -> None:
        """Keep a report, stored or not."""
        file = self._scratch / "test-report"
        file.write_bytes(document)
        try:
            key = self._workspace.store_report(self._store, report.name, file)
        except ArtifactError as error:
            self._log(f"[penstock] The report {report.name} was not stored: {error.message}")
            key = ""
        self.stored += (report._replace(key=key),)
