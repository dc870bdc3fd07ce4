"""Writes the link checker's report as JUnit XML, a test a link, so that a run can name the broken ones."""

import csv
import sys
from pathlib import Path
from xml.etree import ElementTree


def main(source: str, target: str) -> None:
    """Read CSV, write XML; without a report there is nothing to write."""
    if not Path(source).exists():
        return
    lines = [line for line in Path(source).read_text().splitlines() if line and not line.startswith("#")]
    suite = ElementTree.Element("testsuite", name="links")
    for row in csv.DictReader(lines, delimiter=";"):
        test = ElementTree.SubElement(suite, "testcase", classname="links", name=f"{row['urlname']} on {row['parentname']}")
        if row["valid"] != "True":
            ElementTree.SubElement(test, "failure", message=f"{row['url']}: {row['result']}")
    ElementTree.ElementTree(suite).write(target, encoding="unicode")


if __name__ == "__main__":
    main(*sys.argv[1:])
