"""The chart's documentation: values.yaml and the README's tables say what the schema says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.tools import chart


def test_generated_files_are_current() -> None:
    for path, text in chart.files().items():
        assert path.read_text() == text, f"{path.name} is not what `make chart` writes"


@pytest.mark.parametrize("folder", chart.CHARTS, ids=lambda folder: str(folder.name))
def test_every_value_has_a_default_and_says_what_it_is_unless_its_name_does(folder: Path) -> None:
    schema = json.loads((folder / "values.schema.json").read_text())
    values = yaml.safe_load(chart.values_yaml(schema))
    assert set(values) == set(schema["properties"]) - {"global"}
    silent = {name for name, part in schema["properties"].items() if "description" not in part}
    assert silent <= {"global", "logFormat"}


def test_every_limit_of_the_engine_stands_in_the_readme() -> None:
    table = chart.engine_table(chart.SETTINGS.read_text())
    assert (
        "| `engine.lostTries` | `3` | How many tries an attempt may need for lost pods. |" in table
    )
    assert "engine.agentImage" not in table
