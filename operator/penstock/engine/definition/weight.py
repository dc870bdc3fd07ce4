"""How much work a definition is to judge, in characters of what has to be read one by one.

Commands with references are read as three shells would (`lexer.py`: up to 70 microseconds for a
character), regular expressions are compiled (`patterns.py`: 12). Everything else of a definition is
as cheap as its decoding.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.kinds.stage_conditions import Rule
from penstock.api.kinds.triggers import GitConfiguration
from penstock.api.walks import placed_actions
from penstock.engine.definition.findings import Problem
from penstock.engine.definition.rules import rules_of

# By the figures above a second of work, and for a whole definition four.
MOST_OF_ACTION = 16_000
MOST = 64_000


def weight_of(spec: PipelineSpec) -> int:
    """Return the characters that judging a definition reads one by one."""
    actions = sum(_of_commands(item.action.commands) for item in placed_actions(spec))
    triggers = sum(_of_trigger(item.git_configuration) for item in spec.triggers)
    return actions + sum(map(_of_rule, rules_of(spec))) + triggers


def weight_of_frozen(data: Mapping[str, Any]) -> int:
    """Return the weight of a frozen definition's actions; its rules are compiled no more."""
    actions = (action for stage in data.get("stages", ()) for action in stage.get("actions", ()))
    return sum(_of_commands(action.get("commands", ())) for action in actions)


def too_heavy(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield each excess over the limits of what the operator checks.

    Nothing else of such a definition is checked.
    """
    way_out = (
        "give values to commands by environmentVariables, and let a script of the repository do "
        "the rest"
    )
    for number, stage in enumerate(spec.stages):
        for index, action in enumerate(stage.actions):
            if (weight := _of_commands(action.commands)) > MOST_OF_ACTION:
                path = f"spec.stages[{number}].actions[{index}].commands"
                what = (
                    f"commands with references have {weight:,} characters in all, and at most "
                    f"{MOST_OF_ACTION:,}"
                )
                yield Problem(path, f"{what} are read; {way_out}")
    if (weight := weight_of(spec)) > MOST:
        what = (
            f"commands with references, regular expressions and patterns of triggers weigh as "
            f"{weight:,} characters in all"
        )
        yield Problem("spec.stages", f"{what}, and at most {MOST:,} are read; {way_out}")


def _of_rule(rule: Rule) -> int:
    pattern = (
        rule.configuration.get("Value", "")
        if rule.configuration.get("Operator") == "MATCHES"
        else ""
    )
    return len(pattern) + _of_commands(rule.commands)


def _of_trigger(git: GitConfiguration) -> int:
    """Six milliseconds for a list of braces and sets, or of a thousand characters (`names.py`)."""
    lists = [
        names
        for push in git.push
        for criteria in (push.tags, push.branches, push.file_paths)
        if criteria
        for names in (criteria.includes, criteria.excludes)
    ]
    weights = (80 if any("{" in name or "[" in name for name in names) else 0 for names in lists)
    return sum(weights) + sum(len(name) for names in lists for name in names) // 12


def _of_commands(commands: Iterable[str]) -> int:
    # A command without a reference is not read at all.
    return sum(len(command) for command in commands if "#{" in command)
