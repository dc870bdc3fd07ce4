"""The test reports of a run for people and programs, from its status alone."""

from collections.abc import Iterator
from enum import StrEnum

from penstock.cli.render import Document, counts, executions


class ReportFormat(StrEnum):
    """How reports are printed."""

    TEXT = "text"
    JSON = "json"


def reports_of(run: Document, action: str | None) -> list[Document]:
    """Return every report of a run, each with its action and try; ``action`` is a name, or stage/name."""
    return [
        {"action": where, "attempt": execution.get("attempt", 1), "try": execution.get("try", 1), **report}
        for where, execution in executions(run)
        if action in (None, where, where.partition("/")[2])
        for report in execution.get("reports", [])
    ]


def report_lines(reports: list[Document]) -> Iterator[str]:
    """Yield a line for each report, one for each failed test that stands in the status, and where the rest is."""
    if not reports:
        yield "no reports"
    for report in reports:
        tries = f" (try {report['try']})" if report["try"] > 1 else ""
        yield f"{report['action']}{tries}  {report['name']}: {counts(report)}"
        failed = report.get("failedTests", [])
        for test in failed:
            suite = f"{test['suite']}." if test.get("suite") else ""
            message = f": {test['message']}" if test.get("message") else ""
            yield f"  ✗ {suite}{test['name']}{message}"
        if (more := report.get("failed", 0) + report.get("errors", 0) - len(failed)) > 0:
            yield f"  ✗ {more} more"
        if key := report.get("key"):
            yield f"  all test cases: {key} in the artifact store"
