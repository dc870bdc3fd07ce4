"""Judges commands that are programs of no known kind, and those that run something elsewhere.

A program that nothing is known of gets a value as one argument, unless another of its words names
what would run it.
"""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from penstock.engine.language.shell import programs
from penstock.engine.language.shell.context import refuse
from penstock.engine.language.shell.syntax import Unsafe, Word

if TYPE_CHECKING:
    from penstock.engine.language.shell.commands import Checked

_XARGS_OPTION = re.compile(r"-[0rtx]+|-[nLP][0-9]+|-d.+|--null|--no-run-if-empty")
_XARGS_VALUED = {"-n", "-L", "-P", "-d", "-s"}


def check_program(checked: "Checked", base: str, words: list[Word]) -> None:
    """Raise Refused if a value may be code to a program that is no known evaluator."""
    command = words[1].plain if len(words) > 1 else None
    _check_manager(checked, base, command, words)
    if base in programs.OPTION_PRONE or (base == "git" and command in programs.GIT_NETWORK):
        _not_an_option(checked, base, words)
    here = programs.RUNNERS.get(base)
    is_container = here is not None and any(word.plain in here for word in words)
    if is_container:
        _contained(checked, base, words)
    if here is None or is_container:
        _run_elsewhere(checked, base, words)
    _flags(checked, base, words)
    # These read a Dockerfile or a manifest from an input that is named by a dash.
    if base in ("docker", "podman", "nerdctl") and any(word.plain == "-" for word in words):
        checked.refuse_input(f"the input of '{base}', which may be code,")


def check_xargs(checked: "Checked", words: list[Word]) -> None:
    """Check ``xargs``, which adds its input to a command.

    Values are data only to programs that take any words.
    """
    index = 1
    while index < len(words) and (words[index].prefix[:1] == "-"):
        text = words[index].plain or ""
        if text in _XARGS_VALUED:
            index += 1
        elif not _XARGS_OPTION.fullmatch(text):
            break
        index += 1
    inner = words[index:]
    checked.refuse_any(
        words[: index + 1], "the arguments of 'xargs' before the command that it runs"
    )
    if inner and checked.is_fed and inner[0].plain not in programs.PLAIN - {"test"}:
        raise Unsafe("the input of 'xargs', which becomes words of a command,", words[0].at)
    if inner and inner[0].plain not in programs.PLAIN:
        checked.refuse_everywhere(inner, "a command that 'xargs' adds words to")
        if not programs.is_other_language(inner[0].text):
            checked.judge_code(inner)


def _check_manager(checked: "Checked", base: str, command: str | None, words: list[Word]) -> None:
    """Raise Refused for a program that hands its arguments on, or whose command does."""
    place = f"an argument of '{base}', which may run it"
    known = (
        {*programs.GIT_PLAIN, *programs.GIT_NETWORK}
        if base == "git"
        else programs.PACKAGE_MANAGERS.get(base)
    )
    runs = base in programs.FUZZY_WRAPPERS
    runs |= base in programs.RUN_MANAGERS and any(
        word.plain in programs.RUN_COMMANDS for word in words[1:]
    )
    if runs or (known is not None and command not in known):
        checked.refuse_code(words, place)
        if runs and checked.is_fed:
            checked.refuse_input(f"the input of '{base}', which may be code,")


def _not_an_option(checked: "Checked", base: str, words: list[Word]) -> None:
    is_behind = False
    for before, word in pairwise(words):
        # Behind its jar, java hands everything to the program in it.
        is_behind |= word.plain == "--" or (base == "java" and (word.plain or "").endswith(".jar"))
        is_named = base == "git" and before.plain in ("-b", "--branch")
        is_property = base == "java" and word.prefix.startswith("-D")
        if not checked.context.is_hot(word) or is_behind or is_property:
            continue
        # A word that splits may begin another one, with a dash.
        if word.splits or (word.prefix[:1] in ("", "-") and not is_named):
            raise refuse(
                f"an argument of '{base}' that could be an option, which may run something,", word
            )


def _contained(checked: "Checked", base: str, words: list[Word]) -> None:
    """Raise Refused for a value that begins a word, and could be what a container runs."""
    for before, word in pairwise(words):
        is_whole = not word.prefix and before.plain not in programs.CONTAINER_VALUED
        if checked.context.is_hot(word) and (is_whole or word.splits):
            raise refuse(f"a word that '{base}' may run", word)


def _run_elsewhere(checked: "Checked", base: str, words: list[Word]) -> None:
    seen = ""
    for word in words[1:]:
        if checked.context.is_hot(word):
            if seen:
                raise refuse(f"the arguments of '{seen}', which '{base}' may run,", word)
            if programs.names_evaluator(word.text) and " " in word.text:
                raise refuse("a word that names a shell or an interpreter", word)
        elif programs.names_evaluator(word.text):
            seen = seen or word.text
            checked.judge_code([word])
        elif seen and not programs.is_other_language(seen):
            checked.judge_code([word])
    if seen:
        checked.refuse_input(f"the input of '{base}', which may be code,")


def _flags(checked: "Checked", base: str, words: list[Word]) -> None:
    """Raise Refused for a value in an option's argument that may be code.

    So too if that argument may make code of a value.
    """
    harmless = programs.NO_CODE.get(base, set())
    for before, word in pairwise(words):
        option, equals, _ = word.prefix.partition("=")
        inner = option if option.startswith("-") else f"--{option}"
        for text in (before.plain or "", inner if equals else ""):
            flag = text.lower() if text.startswith("--") else text
            if text in harmless or not programs.CODE_FLAG.fullmatch(flag):
                continue
            if checked.context.is_hot(word):
                raise refuse(f"the argument of '{text}', which may be code,", word)
            checked.judge_code([word])
