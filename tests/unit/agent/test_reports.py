"""Test reports (B-50, B-51): read after the phases by the real agent, stored,
and fitted into the result.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.agent import result as results
from penstock.api.contract.contracts import (
    RESULT_VERSION,
    TERMINATION_MESSAGE_BYTES,
    ActionResult,
    ArtifactLocation,
    FailedCase,
    SuiteReport,
)
from tests.unit.agent.pod import Pod
from tests.unit.agent.test_codebuild import build, spec

SUITE = """<testsuite name="s">
<testcase classname="tests.test_page.PageTest" name="test_title" time="0.5">
<failure message="'a' != 'b'"/></testcase>
<testcase classname="tests.test_page.PageTest" name="test_body" time="0.25"/>
</testsuite>"""
KEY = "reports/p-uid/r-uid/Build/Compile/1/pod-1/unit"


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_failed_test_stands_in_message_counts_and_store(pod: Pod) -> None:
    text = spec(
        {"build": ["false"]},
        reports={"unit": {"files": "**/*", "base-directory": "out", "discard-paths": "yes"}},
    )
    result = build(
        pod, text, files={"out/a.xml": SUITE, "out/b/a.xml": SUITE.replace("failure", "skipped")}
    )
    expected = "Build terminated with state: FAILED: BUILD: Command failed with exit code 1: false"
    assert result.message == f"{expected} (failed test: tests.test_page.PageTest.test_title)"
    failed = FailedCase("tests.test_page.PageTest", "test_title", "'a' != 'b'")
    assert result.reports == (SuiteReport("unit", 4, 2, 1, 0, 1, 1.5, (failed,), KEY),)
    stored = json.loads(pod.stored(KEY))
    assert [case["status"] for case in stored["testCases"]] == [
        "FAILED",
        "SUCCEEDED",
        "SKIPPED",
        "SUCCEEDED",
    ]
    assert stored["isComplete"]


def test_failed_tests_alone_do_not_fail_the_build(pod: Pod) -> None:
    result = build(
        pod,
        spec({"build": ["true"]}, reports={"unit": {"files": ["*.xml"]}}),
        files={"a.xml": SUITE},
    )
    assert (result.status, result.reports[0].failed) == ("Succeeded", 1)


def test_group_name_and_paths_may_hold_variables(pod: Pod) -> None:
    groups = {
        "$WHAT": {"files": "$CODEBUILD_SRC_DIR/${WHAT}/*"},
        "arn:aws:codebuild:x:1:report-group/g": {"files": "**/*"},
    }
    result = build(pod, spec({"build": ["WHAT=out"]}, reports=groups), files={"out/a.xml": SUITE})
    assert [report.name for report in result.reports] == ["out", "g"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": "x"}, "no file matches"),
        ({"a.xml": "<x"}, "a.xml was left out: it is no XML: unclosed token, line 1"),
        (
            {"a.xml": "<!DOCTYPE a><x/>"},
            "a.xml was left out: a document type (DOCTYPE) is not read",
        ),
    ],
)
def test_missing_and_broken_reports_are_warnings(
    pod: Pod, files: dict[str, str], message: str
) -> None:
    result = build(
        pod, spec({"build": ["true"]}, reports={"unit": {"files": "*.xml"}}), files=files
    )
    assert (result.status, result.reports) == ("Succeeded", ())
    assert "[Container] Report unit: warning: " in pod.stdout
    assert message in pod.stdout


def test_links_and_fifos_are_no_reports(pod: Pod, tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_text(SUITE)
    commands = [f"ln -s {tmp_path}/secret.xml a.xml; ln -s {tmp_path} b; mkfifo c.xml"]
    result = build(pod, spec({"build": commands}, reports={"unit": {"files": "**/*.xml"}}))
    assert (result.status, result.reports) == ("Succeeded", ())


def test_no_report_where_build_was_not_reached(pod: Pod) -> None:
    text = spec({"install": ["false"], "build": ["true"]}, reports={"unit": {"files": "*.xml"}})
    result = build(pod, text, files={"a.xml": SUITE})
    assert (result.status, result.reports, result.external_execution_id) == (
        "Failed",
        (),
        "web:r-uid-1-1",
    )


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            {"files": "a", "file-format": "CucumberJson"},
            "file-format: CucumberJson is not supported yet (B-50)",
        ),
        (
            {"files": "a", "file-format": "x"},
            "reports.unit.file-format: x is no report format; JUNITXML is (B-50)",
        ),
        ({"file-format": "junitxml"}, "reports.unit.files are missing"),
    ],
)
def test_groups_that_are_wrong_are_refused_by_name(
    pod: Pod, group: dict[str, str], message: str
) -> None:
    assert message in build(pod, spec({"build": ["true"]}, reports={"unit": group})).message


def test_six_groups_are_refused(pod: Pod) -> None:
    text = spec({"build": ["true"]}, reports={str(index): {"files": "a"} for index in range(6)})
    assert "reports: 6 groups, at most 5 are allowed (B-50)" in build(pod, text).message


texts = st.text(st.characters(codec="utf-8"), max_size=300)
failed_tests = st.lists(st.builds(FailedCase, texts, texts, texts), max_size=20).map(tuple)


def written(path: Path, result: ActionResult) -> ActionResult:
    done = results.write_result(path, result)
    assert 0 < len(path.read_bytes()) <= TERMINATION_MESSAGE_BYTES
    assert ActionResult.decode(path.read_text()) == done
    return done


@given(st.lists(failed_tests, max_size=5), st.text("abc'ü", max_size=2000))
def test_result_sheds_failed_tests_before_anything_else(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[FailedCase, ...]], message: str
) -> None:
    reports = tuple(
        SuiteReport(f"unit-{index}", 99, failed=99, failed_tests=x, key=KEY)
        for index, x in enumerate(given)
    )
    output = ArtifactLocation("Site", KEY, 1, "0" * 64)
    result = ActionResult(
        RESULT_VERSION, "Failed", "p", "JobFailed", message, 1, (output,), reports=reports
    )
    done = written(tmp_path_factory.mktemp("result") / "message", result)
    assert (done.code, done.outputs) == ("JobFailed", (output,))
    assert [(report.name, report.failed, report.key) for report in done.reports] == [
        (report.name, 99, KEY) for report in reports
    ]


# What is read from a file is finite: NaN would not even equal itself.
report_values = st.builds(
    SuiteReport, texts, st.just(1), key=texts, duration_seconds=st.none() | st.floats(0, 1e9)
)


@given(st.lists(report_values, max_size=5), st.dictionaries(texts, texts))
def test_result_always_fits(
    tmp_path_factory: pytest.TempPathFactory, reports: list[SuiteReport], variables: dict[str, str]
) -> None:
    result = ActionResult(
        RESULT_VERSION, "Succeeded", "p", variables=variables, reports=tuple(reports)
    )
    written(tmp_path_factory.mktemp("result") / "message", result)
