"""JUnit XML: whatever the bytes, at most so many test cases come of them, or JUnitError."""

from __future__ import annotations

import random

from penstock.actions.codebuild.junit import JUnitError, parse
from tests.fuzz.mutations import mutated

_GOOD = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="s" tests="4"><properties><property name="a" value="b"/></properties>
<testcase classname="c" name="t" time="0.012"><failure message="m">text</failure></testcase>
<testcase name="u" time="1,000.5"><skipped/></testcase>
<testcase><error/><system-out><![CDATA[x]]></system-out></testcase>
</testsuite></testsuites>"""
_WORDS = [
    b"<testsuite>",
    b"</testsuite>",
    b"<testcase name='x'>",
    b"<failure/>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"&a;",
    b"&#0;",
    b"<![CDATA[",
    b"]]>",
    b"<?x?>",
    b"encoding='utf-16'",
    b"time='1e999'",
    b"time='nan'",
    b"xmlns:a='b'",
]
_MOST = 20


def one(source: random.Random) -> None:
    """Feed one hostile report to the reader; raise AssertionError with it if
    anything else comes out.
    """
    data = mutated(source, _GOOD, _WORDS)
    try:
        cases = parse(data, _MOST)
    except JUnitError:
        return
    except Exception as error:
        raise AssertionError(f"{error!r}: {data!r}") from error
    assert len(cases) <= _MOST and all(
        case.seconds is None or 0 <= case.seconds < 1e12 for case in cases
    ), data
