"""The tables of states: drawn in the README, and exactly what the simulator sees (X-01..X-03)."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.engine import states

README = Path(__file__).parents[3] / "operator/README.md"
TABLES = {
    "A run": states.RUN,
    "A stage of a run": states.STAGE,
    "A try of an action": states.ACTION,
}


def drawn() -> str:
    """Return the README's section."""
    parts = [
        f"{title}:\n\n```mermaid\n{states.diagram(changes)}\n```"
        for title, changes in TABLES.items()
    ]
    return "\n\n".join(parts)


def test_readme_draws_the_tables() -> None:
    text = README.read_text()
    begin, end = (
        "<!-- states: written by UPDATE_GOLDEN=1 pytest test_states.py -->\n",
        "\n<!-- end of states -->",
    )
    head, _, rest = text.partition(begin)
    old, _, tail = rest.partition(end)
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(head + begin + drawn() + end + tail)
    else:
        assert old == drawn()


def test_no_change_stands_twice() -> None:
    for changes in TABLES.values():
        pairs = [(change.before, change.after) for change in changes]
        assert len(set(pairs)) == len(pairs)
