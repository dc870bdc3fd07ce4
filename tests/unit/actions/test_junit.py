"""JUnit XML (B-50): what tools write, what hostile commands write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.codebuild.junit import Case, CaseStatus, JUnitError, parse

UNITTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="tests.PageTest-2026" tests="4" failures="9">
<testcase classname="tests.PageTest" name="test_title" time="0.012">
<failure type="AssertionError" message="'a' != 'b'">Traceback
  at line 1</failure><system-out>seen</system-out></testcase>
<testcase classname="tests.PageTest" name="test_ok" time="1,000.5"/>
<testcase classname="tests.PageTest" name="test_error">
<error>Boom</error><failure message="later"/></testcase>
<testcase name="test_skip" time="nan"><skipped message="no net"/></testcase>
</testsuite></testsuites>"""


def test_each_test_case_counts_as_what_it_says() -> None:
    failed, passed, error, skipped = parse(UNITTEST.encode(), 100)
    details = "Traceback\n  at line 1"
    assert failed == Case(
        "tests.PageTest", "test_title", 0.012, CaseStatus.FAILED, "'a' != 'b'", details
    )
    assert passed == Case("tests.PageTest", "test_ok", 1000.5)
    assert error == Case("tests.PageTest", "test_error", None, CaseStatus.ERROR, "", "Boom")
    assert skipped == Case("tests.PageTest-2026", "test_skip", None, CaseStatus.SKIPPED, "no net")


@pytest.mark.parametrize(
    "text",
    [
        '<testsuite xmlns="urn:x"><testcase name="t"/></testsuite>',
        '<j:testsuite xmlns:j="urn:x"><j:testcase name="t"/></j:testsuite>',
        "\ufeff<testsuites><testsuite><testsuite><testcase "
        'name="t"/></testsuite></testsuite></testsuites>',
        '<testsuites><testcase name="t"/></testsuites>',
        '<testsuite><properties><property name="p"/></properties><testcase name="t"/></testsuite>',
        '<testsuite><testcase name="t"><flakyFailure message="f"/></testcase></testsuite>',
    ],
)
def test_shapes_that_tools_write(text: str) -> None:
    assert parse(text.encode(), 10) == [Case("", "t", None)]


def test_encodings_that_xml_declares() -> None:
    text = '<?xml version="1.0" encoding="{}"?><testsuite><testcase name="é"/></testsuite>'
    for encoding in ("utf-16", "iso-8859-1", "windows-1252"):
        assert parse(text.format(encoding).encode(encoding), 10)[0].name == "é"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is no XML: no element found, line 1"),
        ("no XML", "it is no XML: syntax error, line 1"),
        ("<testsuite>\n<testcase>", "it is no XML: no element found, line 2"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><testsuite>&b;</testsuite>',
            "a document type (DOCTYPE) is not read",
        ),
        ('<!DOCTYPE a SYSTEM "http://x/"><testsuite/>', "a document type (DOCTYPE) is not read"),
        ("<testsuite>&b;</testsuite>", "it is no XML: undefined entity, line 1"),
        ("<coverage/>", "its root is <coverage>, not <testsuites> or <testsuite>"),
        ("<testsuite>" * 101, "it is nested more than 100 levels deep"),
        ("<testsuite>" + "<testcase/>" * 11 + "</testsuite>", "there are more than 10 test cases"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "unknown encoding"),
    ],
)
def test_what_is_no_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(JUnitError) as error:
        parse(text.encode(), 10)
    assert message in str(error.value)


def test_texts_are_cut() -> None:
    text = (
        f'<testsuite><testcase name="{"n" * 999}"><failure '
        f'message="{"m" * 9999}">{"d" * 99999}</failure></testcase>'
    )
    (case,) = parse(f"{text}</testsuite>".encode(), 10)
    assert (len(case.name), len(case.message), len(case.details)) == (500, 2000, 8000)


@given(st.binary(max_size=200), st.integers(0, len(UNITTEST)))
def test_any_bytes_are_test_cases_or_a_junit_error(noise: bytes, at: int) -> None:
    data = UNITTEST.encode()
    for hostile in (noise, data[:at] + noise + data[at:], data[:at]):
        try:
            assert all(isinstance(case, Case) for case in parse(hostile, 10))
        except JUnitError as error:
            assert len(str(error)) < 700
