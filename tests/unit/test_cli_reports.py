"""What `penstock reports` and `penstock describe` say, from a status as the operator writes it."""

from typing import Any

from penstock.cli.commands.reports import report_lines, reports_of
from penstock.cli.connection.objects import Run, read
from penstock.cli.render import run_details
from tests.support import command

FAILED = {"suite": "tests.PageTest", "name": "test_title", "message": "'a' != 'b'"}
REPORT = {
    "name": "unit", "total": 4, "passed": 1, "failed": 2, "errors": 1, "durationSeconds": 0.5,
    "failedTests": [FAILED, {"name": "bare"}], "key": "reports/x",
}  # fmt: skip


def run_with(*executions: dict[str, Any]) -> Run:
    rows = [command.row(**execution) for execution in executions]
    return read(
        Run, command.run("run", "Failed", command.stage("Prod", command.action("UnitTest", *rows)))
    )


def test_reports_name_counts_and_failed_tests() -> None:
    run = run_with({"try": 1, "reports": []}, {"try": 2, "reports": [REPORT]})
    assert list(report_lines(reports_of(run, "UnitTest"))) == [
        "Prod/UnitTest (try 2)  unit: 4 tests, 1 passed, 2 failed, 1 errors, 0.5 s",
        "  ✗ tests.PageTest.test_title: 'a' != 'b'",
        "  ✗ bare",
        "  ✗ 1 more",
        "  all test cases: reports/x in the artifact store",
    ]
    found = [report.to_dict() for report in reports_of(run, "Prod/UnitTest")]
    assert found == [{"action": "Prod/UnitTest", "attempt": 1, "try": 2, **REPORT}]
    assert list(report_lines(reports_of(run, "Other"))) == ["no reports"]


def test_describe_shows_counts() -> None:
    run = run_with({"reports": [{"name": "unit", "total": 1, "passed": 1}]})
    assert list(run_details(run)) == ["report    Prod/UnitTest  unit: 1 tests, 1 passed"]
