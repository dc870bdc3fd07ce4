"""Fits a result into the termination message, which must arrive whatever happened."""

from collections.abc import Callable
from pathlib import Path

from penstock.agent.script.script_output import TOO_LARGE, size_message
from penstock.api.contract.contracts import (
    RESULT_VERSION,
    TERMINATION_MESSAGE_BYTES,
    ActionResult,
    FailedCase,
    SuiteReport,
)
from penstock.api.text import shorten

FAILED = "Failed"
LOST = "Lost"
SUCCEEDED = "Succeeded"
# Bytes of a message in a termination message of 4 KiB.
_MESSAGE = 1500
# Bytes of a summary in it.
_SUMMARY = 500
# How many failed tests of a report, and bytes of their messages, go before anything else does.
_DETAILS = ((20, 300), (10, 200), (5, 120), (2, 60), (0, 0))


def failure(code: str, message: str, pod_uid: str, exit_code: int | None = None) -> ActionResult:
    """Return a failed result."""
    return ActionResult(RESULT_VERSION, FAILED, pod_uid, code, message, exit_code)


def lost(code: str, message: str, pod_uid: str) -> ActionResult:
    """Return the result of a try whose effect does not count: the engine decides what follows."""
    return ActionResult(RESULT_VERSION, LOST, pod_uid, code, message)


def masked_report(report: SuiteReport, mask: Callable[[str], str]) -> SuiteReport:
    """Return a report whose texts hold no secret."""
    tests = (
        FailedCase(mask(test.suite), mask(test.name), mask(test.message))
        for test in report.failed_tests
    )
    return report._replace(failed_tests=tuple(tests))


def write_result(path: Path, result: ActionResult) -> ActionResult:
    """Write the termination message; return what was really reported."""
    result = result._replace(
        message=shorten(result.message, _MESSAGE), summary=shorten(result.summary, _SUMMARY)
    )
    for tests, message in _DETAILS:
        result = result._replace(
            reports=tuple(_shed(report, tests, message) for report in result.reports)
        )
        text = result.encode()
        if text is not None:
            break
    else:
        result = _too_large(result)
        text = result.encode()
    # Many reports may be too long even without their failed tests.
    if text is None:
        result = result._replace(reports=())
        text = result.encode() or ""
    path.write_text(text)
    return result


def _too_large(result: ActionResult) -> ActionResult:
    # A variable may hold a lone surrogate, which a plain encode() refuses.
    sizes = {
        name: len(value.encode("utf-8", "replace")) for name, value in result.variables.items()
    }
    message = size_message(
        sizes, f"which does not fit the {TERMINATION_MESSAGE_BYTES} bytes of a termination message"
    )
    short = failure(TOO_LARGE, shorten(message, _MESSAGE), result.pod_uid, result.exit_code)
    external = result.external_execution_id
    return short._replace(log=result.log, reports=result.reports, external_execution_id=external)


def _shed(report: SuiteReport, tests: int, message: int) -> SuiteReport:
    """Return a report with limited failed tests; the counts and the key of the whole stay."""
    kept = (
        test._replace(message=shorten(test.message, message))
        for test in report.failed_tests[:tests]
    )
    return report._replace(failed_tests=tuple(kept))
