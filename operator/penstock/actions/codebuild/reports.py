"""Collects a build's test reports (B-50, B-51): a missing or broken one warns, never fails."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from penstock.actions.codebuild.artifacts import NOTHING, expand, find
from penstock.actions.codebuild.buildspec import JUNIT, Buildspec, ReportGroup
from penstock.actions.codebuild.junit import Case, CaseStatus, JUnitError, parse
from penstock.actions.codebuild.source import read
from penstock.actions.execution import ActionError, Job
from penstock.api.contract.contracts import FailedCase, SuiteReport
from penstock.api.text import shorten
from penstock.artifacts.errors import ArtifactError

# Files of one report group; more is a wrong pattern.
_FILES = 1_000
# Bytes of one file: it is parsed in the agent's memory.
_FILE_BYTES = 16 * 1024 * 1024
# Bytes of all files of a group: they are read one after the other.
_GROUP_BYTES = 64 * 1024 * 1024
# Test cases that are read of a group.
_CASES = 20_000
# Bytes of the stored report: `penstock reports` reads it whole.
_DOCUMENT_BYTES = 16 * 1024 * 1024
# Characters of a test's name in a run's status: twenty of them must fit.
_NAME = 128
# Failed tests that stand in the result; the report in the store has all.
_FAILED_TESTS = 20
# Characters of a failure in the result, which must fit a termination message.
_MESSAGE = 300
_BAD = (CaseStatus.FAILED, CaseStatus.ERROR)


class _Group:
    """The test cases of one report group, as its files are read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case] = []
        self.files = 0
        self.left = _GROUP_BYTES


def collect(job: Job, buildspec: Buildspec, values: Mapping[str, str]) -> None:
    """Read, store and report every report group; ``values`` are the variables in its paths."""
    for wanted in buildspec.reports:
        group = _Group(expand(wanted.name, values)[:_NAME])
        for warning in _read(job, wanted, values, group):
            job.log(f"[Container] Report {group.name}: warning: {warning}")
        if group.files:
            _store(job, group)


def first_failed(reports: tuple[SuiteReport, ...]) -> str:
    """Return the failed tests for a failed build's message: one by name, the rest as a number."""
    names = [name_of(test.suite, test.name) for report in reports for test in report.failed_tests]
    count = sum(report.failed + report.errors for report in reports)
    if not names:
        return ""
    return (
        f" (failed test: {names[0]})"
        if count == 1
        else f" (failed tests: {names[0]} and {count - 1} more)"
    )


def name_of(suite: str, name: str) -> str:
    """Return a test's name as people look for it: class.test, one line, cut."""
    text = " ".join((f"{suite}.{name}" if suite else name).split())
    return shorten(text, _NAME)


def _read(job: Job, wanted: ReportGroup, values: Mapping[str, str], group: _Group) -> Iterator[str]:
    """Fill the group from its files; yield what could not be read."""
    try:
        found = find(wanted.files, job.source, values, _FILES, job.log)
    except (ActionError, ArtifactError) as error:
        yield "no file matches" if error.message == NOTHING else error.message
        return
    for path, names in found.items():
        # Only for its error once the time is over: a group may have a thousand files.
        job.remaining()
        try:
            group.cases += parse(_bytes_of(job, names, group), _CASES - len(group.cases))
            group.files += 1
        except (OSError, JUnitError) as error:
            yield f"{path} was left out: {error.strerror if isinstance(error, OSError) else error}"


def _bytes_of(job: Job, names: tuple[str, ...], group: _Group) -> bytes:
    limit = min(_FILE_BYTES, group.left)
    data = read(job.source, names, limit + 1)
    if len(data) > limit:
        raise JUnitError(f"more than {limit} bytes are not read")
    group.left -= len(data)
    return data


def _store(job: Job, group: _Group) -> None:
    counts = Counter(case.status for case in group.cases)
    seconds = [case.seconds for case in group.cases if case.seconds is not None]
    bad = [case for case in group.cases if case.status in _BAD]
    report = SuiteReport(
        name=group.name,
        total=len(group.cases),
        passed=counts[CaseStatus.SUCCEEDED],
        failed=counts[CaseStatus.FAILED],
        errors=counts[CaseStatus.ERROR],
        skipped=counts[CaseStatus.SKIPPED],
        duration_seconds=round(sum(seconds), 3) if seconds else None,
        failed_tests=tuple(_failed_test(case) for case in bad[:_FAILED_TESTS]),
    )
    job.log(
        f"[Container] Report {report.name}: {report.total} tests, {report.passed} passed, "
        f"{report.failed} failed, {report.errors} errors, {report.skipped} skipped"
    )
    job.reports.store(report, _document(report, group.cases))


def _failed_test(case: Case) -> FailedCase:
    said = case.message or case.details.partition("\n")[0]
    return FailedCase(case.suite[:_NAME], case.name[:_NAME], " ".join(said.split())[:_MESSAGE])


def _document(report: SuiteReport, cases: list[Case]) -> bytes:
    """Return the whole report as JSON; the failed tests first, and as many of the others as fit."""
    head = {
        "version": 1,
        "name": report.name,
        "fileFormat": JUNIT,
        "total": report.total,
        "passed": report.passed,
        "failed": report.failed,
        "errors": report.errors,
        "skipped": report.skipped,
        "durationSeconds": report.duration_seconds,
    }
    rows: list[dict[str, object]] = []
    left = _DOCUMENT_BYTES
    for case in sorted(cases, key=lambda case: case.status not in _BAD):
        row = _row(case)
        left -= len(json.dumps(row))
        if left < 0:
            break
        rows.append(row)
    return json.dumps({**head, "isComplete": len(rows) == len(cases), "testCases": rows}).encode()


def _row(case: Case) -> dict[str, object]:
    row = {
        "suite": case.suite,
        "name": case.name,
        "status": case.status,
        "durationSeconds": case.seconds,
        "message": case.message,
        "details": case.details,
    }
    return {key: value for key, value in row.items() if value not in (None, "")}
