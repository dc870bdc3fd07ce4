"""Quoting: whatever a value holds, the shell sees it unchanged and runs none of it."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actions.execution import ActionError
from penstock.actions.quoting import quote
from penstock.agent.script.script import render_script, render_values
from penstock.api.contract.contracts import Script, ScriptCommand
from tests.support.properties import examples
from tests.unit.agent.pod import SHELLS

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
nasty = st.text(st.sampled_from("'\"\\$`(){};&|<>\n\r\t!*?~#= aé\x01\x7f"), max_size=60)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
@examples(60)
@given(values=st.lists(texts | nasty, min_size=1, max_size=8))
def test_quoted_texts_reach_the_shell_unchanged(shell: list[str], values: list[str]) -> None:
    code = f"printf '%s\\0' {' '.join(map(quote, values))}"
    done = subprocess.run([*shell, "-c", code], capture_output=True, timeout=10)
    assert done.stdout == b"".join(value.encode() + b"\0" for value in values)
    assert done.stderr == b""


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
@examples(40)
@given(value=texts | nasty, exported=texts | nasty, shown=texts | nasty)
def test_values_and_command_texts_survive_the_whole_script(
    shell: list[str], value: str, exported: str, shown: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "variables").mkdir()
        command = ScriptCommand(shown, 'A="${V}"; B=$(printenv E; printf x); B=${B%?x}')
        wanted = Script((command,), {"V": value}, {"E": exported}, ("A", "B"))
        (folder / "values").write_bytes(render_values(wanted, {"CODEBUILD_SRC_DIR": name}).encode())
        (folder / "script").write_bytes(
            render_script(wanted, folder / "values", folder, folder).encode()
        )
        done = subprocess.run([*shell, str(folder / "script")], capture_output=True, timeout=10)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == f"+ {shown}\n".encode()
        assert (folder / "variables/A").read_bytes() == value.encode()
        assert (folder / "variables/B").read_bytes() == exported.encode()


def test_referenced_value_is_not_exported() -> None:
    assert render_values(Script((), {"V": "x"}), {}) == "V='x'\n"


def test_nul_character_is_refused() -> None:
    with pytest.raises(ActionError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A;id", "$(id)", "A\n", "É"])
def test_name_that_no_shell_variable_has_is_refused(name: str) -> None:
    with pytest.raises(ActionError, match="is not a name"):
        render_values(Script((), {}, {name: "x"}), {})
