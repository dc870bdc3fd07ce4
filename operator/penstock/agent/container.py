"""The action's container as the agent works with it: programs, files for them, what they leave."""

import re
from pathlib import Path

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    TIMED_OUT,
    ActionError,
    Outcome,
    Program,
    ProgramEnd,
)
from penstock.agent.output.log import Log
from penstock.agent.paths import Paths
from penstock.agent.script.script import render_script, render_values
from penstock.agent.script.script_output import ScriptOutput
from penstock.agent.script.shell import ScriptEnd, Shell
from penstock.agent.workspace import Workspace
from penstock.api.contract.contracts import ActionRequest, Script

CONTAINER_DIED = "ActionContainerDied"
_REPORT = "report"
_GIVEN = "given"
_VARIABLE = re.compile(r"[A-Za-z0-9@_-]{1,128}")


class ScriptContainer:
    """See `penstock.actions.execution.ActionContainer`."""

    def __init__(
        self,
        paths: Paths,
        request: ActionRequest,
        workspace: Workspace,
        log: Log,
        shell: Shell,
    ) -> None:
        self._paths, self._request, self._workspace = paths, request, workspace
        self._log, self._shell = log, shell
        self._left: ScriptOutput | None = None

    @property
    def program(self) -> Path:
        """Where a program stands when it runs."""
        return self._paths.control / "script"

    @property
    def report(self) -> Path:
        """The folder where a program keeps its notes and variables."""
        return self._paths.workspace / _REPORT

    def run_script(self) -> Outcome:
        """Run the request's script."""
        script = self._request.script
        if script is None:
            raise ActionError(CONFIGURATION_ERROR, "the request has no script")
        # Made and opened before the script runs: a link that it puts there is not followed.
        report = ScriptOutput(self.report)
        text = render_script(
            script, self.program.with_name("values"), self._workspace.source, self.report
        )
        self._check(self._run(script, text), script, report)
        variables = report.variables(script.output_variables, self._request.limits.variables_bytes)
        return Outcome(variables=variables, exit_code=0)

    def run_program(self, program: Program) -> ProgramEnd:
        """Run an execution's own shell code."""
        self._left = report = ScriptOutput(self.report)
        code = self._exit_code(self._run(Script((), environment=program.environment), program.text))
        names = self._variables(report) if program.takes_all_variables else program.variables
        variables = report.variables(names, self._request.limits.variables_bytes)
        if program.takes_all_variables:
            variables = {name: value.rstrip("\n") for name, value in variables.items()}
        return ProgramEnd(code, report.notes(), variables)

    def write_file(self, path: str, text: str) -> Path:
        """Write a file for the container."""
        file = self._paths.workspace / _GIVEN / path
        # The container may run as any user, so the modes must not depend on our umask.
        for folder in (self._paths.workspace / _GIVEN, file.parent):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        file.chmod(0o644)
        return file

    def read_note(self, name: str) -> str:
        """Return what the program left."""
        return self._log.masked(self._left.text(name)) if self._left else ""

    def _variables(self, report: ScriptOutput) -> list[str]:
        """Return the variable names the program left; report those that no variable can have."""
        names = report.variable_names()
        for name in names:
            if not _VARIABLE.fullmatch(name):
                what = (
                    f"[penstock] {name!a} in the folder of variables is ignored: no variable can "
                    f"be called so"
                )
                self._log.write_line(what)
        return [name for name in names if _VARIABLE.fullmatch(name)]

    def _run(self, script: Script, text: str) -> ScriptEnd:
        values = self.program.with_name("values")
        values.write_text(render_values(script, self._workspace.environment()), encoding="utf-8")
        self.program.write_text(text, encoding="utf-8")
        # The container may run as any user.
        for path in (values, self.program):
            path.chmod(0o644)
        return self._shell.run()

    def _exit_code(self, ended: ScriptEnd) -> int:
        if ended.is_timed_out:
            what = "" if ended.has_started else ": the action's container did not start"
            message = f"Timed out after {self._request.limits.timeout_s:g} s{what}"
            raise ActionError(TIMED_OUT, message, ended.exit_code)
        if ended.exit_code is None:
            raise ActionError(
                CONTAINER_DIED, "the action's container ended before its commands did"
            )
        return ended.exit_code

    def _check(self, ended: ScriptEnd, script: Script, report: ScriptOutput) -> None:
        if self._exit_code(ended):
            index = report.command() or 0
            text = script.commands[index].text if index < len(script.commands) else ""
            what = "Command not found, failed" if ended.exit_code == 127 else "Command failed"
            raise ActionError(
                JOB_FAILED, f"{what} with exit code {ended.exit_code}: {text}", ended.exit_code
            )
