"""What judging a definition costs is bounded: by its length, whatever stands in it."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.controller.planner import LIGHT
from penstock.engine.definition.validation import validate
from penstock.engine.definition.weight import MOST, MOST_OF_ACTION, weight_of, weight_of_frozen
from penstock.engine.language.shell.lexer import LexerError, lex
from tests.unit.engine import test_definition_triggers as definitions

VALUE = '"#{codepipeline.PipelineExecutionId}"'
COMMANDS = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
SHAPES = {
    "a program that runs one that runs one": ("env ", "", ""),
    "more of them": ("nohup nice command exec ", "", ""),
    "with assignments": ("env A=1 ", "", ""),
    "words": ("a ", "", ""),
    "commands": ("a; ", "echo ", ""),
    "conditions": ("a && ", "echo ", ""),
    "pipes": ("a | ", "echo ", ""),
    "functions": ("f() { a; }; ", "echo ", ""),
    "many functions": ("f{n}() { a; }; ", "echo ", ""),
    "assignments": ("A=1 ", "echo ", ""),
    "variables with values": (f"v{{n}}={VALUE}; ", 'echo "$v1" ', ""),
    "comments": ("# x\n", "echo ", ""),
    "here-documents": ("cat <<A\n", "", "\nA"),
    "parentheses": ("(", "echo ", ")"),
    "braces": ("{ ", "echo ", "; }"),
    "substitutions": ("$(echo ", "", ")"),
    "parameters": ("${a:-", "", "}"),
    "arithmetic": ("$((", "1", "))"),
    "backticks": ("`a` ", "echo ", ""),
    "quotes": ("'a'\"b\"", "", ""),
    "if": ("if a; then ", "echo ", "; fi"),
    "case": ("case x in a) ", "echo ", ";; esac"),
    "loops": ("for i in a; do ", "echo ", "; done"),
    "tests": ("[ a = b ] || ", "echo ", ""),
    "double brackets": ("[[ a == b ]] && ", "echo ", ""),
    "code in quotes": ("sh -c 'a' && ", "echo ", ""),
    "eval": ('eval "a"; ', "echo ", ""),
    "redirections": (">a ", "echo ", ""),
    "continuation lines": ("a\\\n", "", ""),
    "brace expansion": ("{a,b}", "", ""),
    "xargs": ("xargs ", "echo ", ""),
}


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many calls of functions a piece of work makes: the same on any machine."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    except LexerError:
        pass
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.replace(" ", "-"))
def test_weak_reading_a_command_takes_work_in_proportion_to_its_length(shape: str) -> None:
    before, middle, behind = SHAPES[shape]

    def work(length: int) -> int:
        times = max(1, length // len(before + behind))
        text = (
            "".join(before.replace("{n}", str(number)) for number in range(times)) + middle + VALUE
        )
        return calls_of(lambda: lex(text + behind * times))

    small, large = work(500), work(3_000)
    assert large <= 8 * small
    assert large <= 300 * 3_000


def spec_of(*commands: str, actions: int = 1, value: str = "") -> PipelineSpec:
    wanted = {
        "Variable": "#{codepipeline.PipelineExecutionId}",
        "Operator": "MATCHES",
        "Value": value,
    }
    type_id = {"category": "Rule", "provider": "VariableCheck"}
    rule = {"name": "R", "ruleTypeId": type_id, "configuration": wanted}
    conditions = (
        {"beforeEntry": {"conditions": [{"result": "FAIL", "rules": [rule]}]}} if value else {}
    )
    made = [
        {"name": f"A{n}", "actionTypeId": COMMANDS, "commands": list(commands)}
        for n in range(actions)
    ]
    return PipelineSpec.model_validate({"stages": [{"name": "S", "actions": made, **conditions}]})


def paths_of(spec: PipelineSpec) -> list[str]:
    return [problem.path for problem in validate(spec, has_default_store=True).problems]


def test_attack_02_commands_with_references_are_bounded_for_an_action_and_for_all() -> None:
    line = f"echo {VALUE} ".ljust(1_000, "x")
    assert paths_of(spec_of(*[line] * 16)) == []
    assert paths_of(spec_of(*[line] * 17)) == ["spec.stages[0].actions[0].commands"]
    assert paths_of(spec_of(*[line] * 16, actions=5)) == ["spec.stages"]
    assert weight_of(spec_of(*[line] * 16)) == MOST_OF_ACTION


def test_commands_without_references_weigh_nothing() -> None:
    spec = spec_of(*["x" * 1_000] * 50, actions=50)
    assert weight_of(spec) == 0
    assert paths_of(spec) == []


def test_attack_02_regular_expressions_count() -> None:
    assert weight_of(spec_of("true", value="a" * 900)) == 900
    assert MOST > 900


def test_what_a_definition_is_too_heavy_for_is_not_looked_at() -> None:
    line = f"eval {VALUE} ".ljust(1_000, "x")
    spec = spec_of(*[line] * 50, actions=100)
    assert calls_of(lambda: validate(spec, has_default_store=True)) < 30_000


def test_frozen_definition_weighs_as_the_one_it_was_made_of() -> None:
    spec = spec_of(f"echo {VALUE}", "true", actions=3)
    assert weight_of_frozen(spec.to_dict()) == weight_of(spec)


def test_patterns_of_triggers_weigh() -> None:
    """Fifty triggers take a second to judge: not in the operator's event loop."""

    def weight(pattern: str, number: int) -> int:
        push = {"branches": {"includes": [f"{n}{pattern}" for n in range(8)]}}
        triggers = [definitions.trigger(f"Fetch{n}", push=[push] * 3) for n in range(number)]
        return weight_of(definitions.spec_of(*triggers))

    assert weight("main", 50) < LIGHT
    assert weight("{a,b}" * 6, 50) > LIGHT
    assert weight("a" * 250, 50) > LIGHT
