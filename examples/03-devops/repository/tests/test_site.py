"""What must hold for every page of the built site."""

from pathlib import Path

import pytest

PAGES = sorted(Path("dist").glob("*.html"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_has_a_title(path):
    assert "<title></title>" not in path.read_text(), "a page without a heading has no title"


def test_front_page_says_what_we_sell():
    assert "bread" in Path("dist/index.html").read_text()
