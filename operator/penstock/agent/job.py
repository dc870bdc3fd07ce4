"""What a provider's execution gets to work with: the seam's `Job`, made real."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    TIMED_OUT,
    ActionError,
    Outcome,
    Program,
    ProgramEnd,
    StoredObject,
)
from penstock.agent.objects import Objects
from penstock.agent.output.log import Log
from penstock.agent.paths import Paths
from penstock.agent.script.control import Control
from penstock.agent.script.script import render_script, render_values
from penstock.agent.script.script_output import ScriptOutput
from penstock.agent.script.shell import ScriptEnd, Shell
from penstock.agent.workspace import Workspace
from penstock.api.contract.contracts import ActionRequest, ArtifactLocation, ArtifactOrder, Script, SuiteReport
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store import Store

CONTAINER_DIED = "ActionContainerDied"
_REPORT = "report"
_GIVEN = "given"
_VARIABLE = re.compile(r"[A-Za-z0-9@_-]{1,128}")


class AgentJob:
    """One try under way; see `penstock.actions.execution.Job`."""

    def __init__(self, paths: Paths, request: ActionRequest, workspace: Workspace, log: Log, deadline: float) -> None:
        self.request = request
        self._paths = paths
        self._workspace = workspace
        self._log = log
        self._deadline = deadline
        self.control: Control | None = None
        self.artifact_store: Store | None = None
        self.stored: dict[str, ArtifactLocation] = {}
        self.reports: tuple[SuiteReport, ...] = ()
        self.external_execution_id = ""
        self.external_execution_url = ""
        self.percent_complete: int | None = None
        self._left: ScriptOutput | None = None

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

    def run_script(self) -> Outcome:
        """Run the script in the action's container."""
        script = self.request.script
        if script is None or self.control is None:
            raise ActionError(CONFIGURATION_ERROR, "the request has no script")
        report = ScriptOutput(self.report)
        text = render_script(script, self.program.with_name("values"), self.source, self.report)
        ended = self._run(self.control, script, text)
        self._check(ended, script, report)
        return Outcome(
            variables=report.variables(script.output_variables, self.request.limits.variables_bytes), exit_code=0
        )

    @property
    def report(self) -> Path:
        """The folder where a program keeps its notes and variables."""
        return self._paths.workspace / _REPORT

    @property
    def program(self) -> Path:
        """Where a program stands when it runs."""
        return self._paths.control / "script"

    def run_program(self, program: Program) -> ProgramEnd:
        """Run an execution's own shell code in the action's container."""
        if self.control is None:
            raise ActionError(CONFIGURATION_ERROR, "the action has no container")
        self._left = report = ScriptOutput(self.report)
        ended = self._run(self.control, Script((), environment=program.environment), program.text)
        code = self._exit_code(ended)
        names = self._variables(report) if program.takes_all_variables else program.variables
        variables = report.variables(names, self.request.limits.variables_bytes)
        if program.takes_all_variables:
            variables = {name: value.rstrip("\n") for name, value in variables.items()}
        return ProgramEnd(code, report.notes(), variables)

    def _variables(self, report: ScriptOutput) -> list[str]:
        """Return the names of the variables that the program left; what no variable can be called is told."""
        names = report.variable_names()
        for name in names:
            if not _VARIABLE.fullmatch(name):
                self.log(f"[penstock] {name!a} in the folder of variables is ignored: no variable can be called so")
        return [name for name in names if _VARIABLE.fullmatch(name)]

    def read_note(self, name: str) -> str:
        """Return what the program left."""
        return self._log.masked(self._left.text(name)) if self._left else ""

    def write_file(self, path: str, text: str) -> Path:
        """Write a file for the action's container."""
        file = self._paths.workspace / _GIVEN / path
        for folder in (self._paths.workspace / _GIVEN, file.parent):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        file.chmod(0o644)
        return file

    def store_files(self, name: str, files: Mapping[str, Sequence[str]]) -> None:
        """Store an output artifact of single files."""
        if self.artifact_store is not None:
            self.stored[name] = self._workspace.store_files(self.artifact_store, name, files)

    def output_folder(self, name: str) -> Path:
        """Make a folder for an output artifact's content."""
        return self._workspace.output_folder(name)

    def store_folder(self, name: str, folder: Path) -> None:
        """Store an output artifact from a folder of its own."""
        order = next((item for item in self.request.outputs if item.name == name), ArtifactOrder(name))
        if self.artifact_store is not None:
            self.stored[name] = self._workspace.store_output(self.artifact_store, order, folder)

    def object_location(self, name: str) -> StoredObject:
        """Return where an object of this name stands."""
        return self._objects.where(name)

    def put_object(self, name: str, file: Path) -> StoredObject:
        """Store an object."""
        return self._objects.put(name, file)

    def get_object(self, name: str, file: Path) -> bool:
        """Fetch an object."""
        return self._objects.get(name, file)

    @property
    def _objects(self) -> Objects:
        if self.artifact_store is None:
            raise ActionError(CONFIGURATION_ERROR, "the action has no artifact store")
        return Objects(self.artifact_store, self.request, self.pod_uid)

    def store_report(self, report: SuiteReport, document: bytes) -> None:
        """Keep a report; that the store does not take it is a warning, as the action's end is worth more."""
        if self.artifact_store is None:
            return
        file = self.scratch / "test-report"
        file.write_bytes(document)
        try:
            key = self._workspace.store_report(self.artifact_store, report.name, file)
        except ArtifactError as error:
            self.log(f"[penstock] The report {report.name} was not stored: {error.message}")
            key = ""
        self.reports += (report._replace(key=key),)

    def report_external_execution(
        self, external_execution_id: str, url: str = "", percent_complete: int | None = None
    ) -> None:
        """Keep the id, the link and the figure."""
        self.external_execution_id = external_execution_id
        self.external_execution_url = url
        self.percent_complete = percent_complete

    def _run(self, control: Control, script: Script, text: str) -> ScriptEnd:
        values = self.program.with_name("values")
        values.write_text(render_values(script, self._workspace.environment()), encoding="utf-8")
        self.program.write_text(text, encoding="utf-8")
        for path in (values, self.program):
            path.chmod(0o644)
        return Shell(control, self._log, self.request.limits, self._deadline).run()

    def _exit_code(self, ended: ScriptEnd) -> int:
        if ended.is_timed_out:
            what = "" if ended.has_started else ": the action's container did not start"
            raise ActionError(TIMED_OUT, f"Timed out after {self.request.limits.timeout_s:g} s{what}", ended.exit_code)
        if ended.exit_code is None:
            raise ActionError(CONTAINER_DIED, "the action's container ended before its commands did")
        return ended.exit_code

    def _check(self, ended: ScriptEnd, script: Script, report: ScriptOutput) -> None:
        if self._exit_code(ended):
            index = report.command() or 0
            text = script.commands[index].text if index < len(script.commands) else ""
            what = "Command not found, failed" if ended.exit_code == 127 else "Command failed"
            raise ActionError(JOB_FAILED, f"{what} with exit code {ended.exit_code}: {text}", ended.exit_code)
