"""References: where they may stand, what they become, and that values are
never code (W-01..W-12).
"""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.language.shell.lexer import LexerError, lex
from penstock.engine.language.variables import (
    MOST_RESOLVED,
    Reference,
    TooLongError,
    UnresolvedError,
    resolve,
)
from tests.support.properties import examples
from tests.unit.engine.simulation import World, commands_action, git_action, stage

ID = Reference("S", "Id")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#{S.Id}", "1"),
        ("a#{S.Id}b#{S.Id}", "a1b1"),
        ("#{s.id} #{S}", "#{s.id} #{S}"),
        ("#{S.Id", "#{S.Id"),
    ],
)
def test_reference_is_replaced_by_its_value_and_nothing_else_is(text: str, expected: str) -> None:
    values = {ID: "1", Reference("s", "id"): "#{s.id}"}
    assert resolve(text, values) == expected


def test_value_that_looks_like_a_reference_stays_as_it_is() -> None:
    assert resolve("#{S.Id}", {ID: "#{S.Id}"}) == "#{S.Id}"


def test_reference_without_value_names_itself() -> None:
    with pytest.raises(UnresolvedError) as raised:
        resolve("#{S.Id}", {})
    assert raised.value.reference == ID


def test_weak_text_is_not_resolved_beyond_a_million_characters() -> None:
    value = "x" * (MOST_RESOLVED // 10)
    assert len(resolve("#{S.Id}" * 10, {ID: value})) == MOST_RESOLVED
    with pytest.raises(TooLongError, match=r"#\{S.Id\} and others before it have more than"):
        resolve("#{S.Id}" * 11, {ID: value})


@given(st.text(max_size=80) | st.text(alphabet="#{}S.Id@-_", max_size=60))
def test_any_text_is_resolved_or_names_what_has_no_value(text: str) -> None:
    try:
        resolve(text, {ID: "1"})
    except UnresolvedError as error:
        assert str(error.reference) in text


COMMANDS = [
    ("printf %s #{S.Id}", "{}"),
    ('printf %s "<#{S.Id}>"', "<{}>"),
    ("printf %s '<#{S.Id}>'", "<{}>"),
    ('printf %s "$(printf %s #{S.Id})"', "{}"),
    ('printf %s "$(printf %s "<#{S.Id}>")"', "<{}>"),
    ("printf %s a#{S.Id}'b'\"c\"", "a{}bc"),
    ('X=#{S.Id}; printf %s "$X"', "{}"),
    ('printf %s "${Y:-#{S.Id}}"', "{}"),
    ("printf %s ${Y:-#{S.Id}}", "{}"),
    ('printf %s \\"#{S.Id}', '"{}'),
    ("true # don't #{S.Id}\nprintf %s #{S.Id}", "{}"),
    ("sh -c 'printf %s \"$1\"' _ #{S.Id}", "{}"),
    ("printf '%s' \"it's #{S.Id}\"", "it's {}"),
    ("if true; then printf %s #{S.Id}; fi", "{}"),
]
VALUES = st.text(
    alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20
).filter(lambda value: not value.endswith("\n")) | st.sampled_from(
    [
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        '"; touch pwned; "',
        "$X",
        "*",
        " a  b ",
    ]
)


def run_shell(script: str, name: str, value: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", script],
        env={name: value},
        cwd=folder,
        capture_output=True,
        timeout=10,
        check=True,
    )
    return done.stdout.decode()


@pytest.mark.parametrize(("command", "shape"), COMMANDS)
@examples(12)
@given(value=VALUES)
def test_any_value_reaches_a_real_shell_as_data(
    command: str, shape: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    lexed = lex(command)
    (name,) = lexed.variables
    assert run_shell(lexed.code, name, value, folder) == shape.replace("{}", value)
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("sh -c 'echo #{S.Id}'", "the text of 'sh -c'"),
        ('/bin/bash -ec "echo #{S.Id}"', "the text of 'bash -c'"),
        ("eval echo #{S.Id}", "the text of 'eval'"),
        ("trap 'echo #{S.Id}' EXIT", "the text of 'trap'"),
        ("echo $((#{S.Id} + 1))", "arithmetic"),
        ("echo `echo #{S.Id}`", "backquotes"),
        ("cat <<'EOF'\n#{S.Id}\nEOF", "a quoted here-document"),
        ("echo ${#{S.Id}}", "the name of a '${' expansion"),
        ("echo $#{S.Id}", "a '$' expansion"),
    ],
)
def test_reference_whose_value_could_become_code_is_refused_with_a_way_out(
    command: str, place: str
) -> None:
    with pytest.raises(LexerError) as raised:
        lex(command)
    assert f"#{{S.Id}} stands in {place} at character" in str(raised.value)
    assert "set an environment variable of the action to #{S.Id}" in str(raised.value)


def test_here_document_expands_to_the_value(tmp_path: Path) -> None:
    lexed = lex("cat <<END\n<#{S.Id}>\nEND\nprintf %s #{S.Id}")
    (name,) = lexed.variables
    assert run_shell(lexed.code, name, "$(x) 'y'", tmp_path) == "<$(x) 'y'>\n$(x) 'y'"


@given(st.text(max_size=60))
def test_command_without_reference_is_not_touched(command: str) -> None:
    if "#{" not in command:
        assert lex(command).code == command


def test_variables_of_an_action_are_read_under_its_namespace() -> None:
    world = World.of(
        stage("Source", git_action(namespace="Src")),
        stage(
            "Build",
            commands_action("Make", "echo #{Src.CommitId} #{codepipeline.PipelineExecutionId}"),
        ),
    )
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"), variables={"CommitId": "abc", "Empty": ""})
    world.settle()
    script = world.request(world.job_for("Make")).script

    assert script is not None
    assert sorted(script.values.values()) == ["abc", "uid-run-1"]
    assert world.execution("Fetch").output_variables == {"CommitId": "abc", "Empty": ""}  # type: ignore[union-attr]


def test_oracle_o_22_unresolved_variable_fails_the_consumer_with_codepipelines_text() -> None:
    world = World.of(
        stage("Source", git_action(namespace="Src")),
        stage("Build", commands_action("Make", "echo #{Src.TAG}")),
    )
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"))
    world.settle()
    execution = world.execution("Make")

    assert execution is not None
    assert execution.error_details is not None
    assert execution.error_details.message.startswith(
        "An action in this pipeline failed because one or more variables could not be resolved: "
        "Action name=Make"
    )
    assert world.status().state == "Failed"


def test_configuration_above_the_limit_fails_before_a_job_exists() -> None:
    world = World.of(
        stage("Source", git_action(namespace="Src")),
        stage("Build", commands_action("Make", "echo #{Src.Big}")),
    )
    world.start()
    world.settle()
    world.succeed(world.job_for("Fetch"), variables={"Big": "x" * (100 * 1024 + 1)})
    # The simulated kubelet holds longer messages than a real one: what counts here is the consumer.
    world.settle()
    execution = world.execution("Make")

    assert execution is not None
    assert execution.error_details is not None
    assert execution.error_details.code == "ConfigurationTooLarge"
    assert "102401 bytes long, more than 102400 (Q-12)" in execution.error_details.message
