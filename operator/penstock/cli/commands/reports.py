"""The test reports of a run for people and programs, from its status alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from penstock.api.document import Document
from penstock.api.status.executions import ActionExecution, BuildReport
from penstock.cli.connection.objects import Run, executions, is_meant
from penstock.cli.render import counts
from penstock.cli.text import in_line


class ReportFormat(StrEnum):
    """How reports are printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class PrintedReport:
    """A report, with the action and the try that made it."""

    action: str
    execution: ActionExecution
    report: BuildReport

    def to_dict(self) -> Document:
        """Return it for programs."""
        made = {
            "action": self.action,
            "attempt": self.execution.attempt,
            "try": self.execution.try_,
        }
        return made | self.report.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_unset=True
        )


def reports_of(run: Run, action: str | None) -> list[PrintedReport]:
    """Return every report of a run with action and try. ``action`` is a name, or stage/name."""
    return [
        PrintedReport(where, execution, report)
        for where, execution in executions(run)
        if is_meant(action, where)
        for report in execution.reports
    ]


def report_lines(reports: list[PrintedReport]) -> Iterator[str]:
    """Yield a line for each report and failed test, and a line about where the rest is.

    Only the failed tests in the status get a line.
    """
    if not reports:
        yield "no reports"
    for found in reports:
        report = found.report
        tries = f" (try {found.execution.try_})" if found.execution.try_ > 1 else ""
        yield in_line(f"{found.action}{tries}  {report.name}: {counts(report)}")
        for test in report.failed_tests:
            suite = f"{test.suite}." if test.suite else ""
            message = f": {test.message}" if test.message else ""
            yield in_line(f"  ✗ {suite}{test.name}{message}")
        if (more := report.failed + report.errors - len(report.failed_tests)) > 0:
            yield f"  ✗ {more} more"
        if report.key:
            yield in_line(f"  all test cases: {report.key} in the artifact store")
