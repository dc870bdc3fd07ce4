"""Judges commands that run code: shells, interpreters, and evaluators of expressions.

The last are programs whose arguments are expressions.
"""

import re
from typing import TYPE_CHECKING

from penstock.engine.language.shell import programs
from penstock.engine.language.shell.context import refuse
from penstock.engine.language.shell.syntax import Unsafe, Word

if TYPE_CHECKING:
    from penstock.engine.language.shell.commands import Checked

_SHELL_OPTION = re.compile(r"[-+][abefhlmnuvxCE]+|--(posix|norc|noprofile)")
_SHELL_CODE = re.compile(r"-[abefhlmnuvxCE]*c[abefhlmnuvxCE]*")
_SHELL_NAMED = re.compile(r"[-+][abefhlmnuvxCE]*o")
# The names by which Linux lets a program open its own input, and detours to them.
_INPUT = re.compile(r"^/+(\./+)*(dev|proc)|\.\.|//|(^|/)(stdin|tty|fd|[0-9]+)(/|$)")
_SED_OPTIONS = {"-n", "-e", "-E", "-r", "-u", "-s", "-z"}
_SED_COMMAND = (
    r"[0-9,$]*(?:s([/|,#@:])(?:(?!\1)[^\n\\]|\\.)*\1(?:(?!\1)[^\n\\]|\\.)*\1[gpI0-9]*|[dpq])"
)
_SED = re.compile(_SED_COMMAND)
_AWK_RUNS = re.compile(r"system|getline|\||@|-f\b")
_MODULES = {
    "pip",
    "pytest",
    "build",
    "venv",
    "unittest",
    "json.tool",
    "http.server",
    "twine",
    "mypy",
    "black",
    "ruff",
}


def check_evaluator(checked: "Checked", base: str, words: list[Word]) -> None:
    """Raise Refused unless every value that reaches such a command is data."""
    if base in ("sh", "bash", "dash", "ash"):
        _shell(checked, base, words)
    elif base in programs.INTERPRETERS:
        _interpreter(checked, base, words)
    elif base == "jq":
        _jq(checked, words)
    else:
        place = f"an argument of '{base}', which may be code"
        checked.refuse_any([*words, *checked.command.assignments], place)
        # This judge reads shell code alone: what another language makes of variables is not seen.
        if not programs.is_other_language(base):
            checked.judge_code(words[1:])
        if not _is_filter(base, words[1:]):
            checked.refuse_input(f"the input of '{base}'")


def _is_filter(base: str, words: list[Word]) -> bool:
    """Whether a program with these arguments, none of which is a value, takes its input as data."""
    texts = [word.literal for word in words]
    if base in ("sed", "gsed"):
        # A sed script may run what it reads: s///e, e, and files by w.
        return all(
            text is not None and (text in _SED_OPTIONS or _SED.fullmatch(text)) for text in texts
        )
    if base in ("awk", "gawk", "mawk", "nawk"):
        return not any(text is None or text[:1] == "-" or _AWK_RUNS.search(text) for text in texts)
    return base in ("yq", "gojq")


def _shell(checked: "Checked", base: str, words: list[Word]) -> None:
    """Judge ``sh [options] file arguments…`` and ``sh [options] -c code arguments…``.

    The arguments are data.
    """
    index, runs_code = 1, False
    while index < len(words):
        text = words[index].plain
        if text is None or text[:1] not in ("-", "+") or text == "-":
            break
        index += 1
        if text == "--":
            break
        # The name of the option is the next word.
        if _SHELL_NAMED.fullmatch(text):
            index += 1
        elif _SHELL_CODE.fullmatch(text):
            runs_code = True
        elif not _SHELL_OPTION.fullmatch(text):
            checked.refuse_code(words, f"a '{base}' with the option {text}")
            checked.refuse_input(f"the input of '{base}'")
            return
    what = f"{base} -c" if runs_code else base
    checked.refuse_any(words[: index + 1], f"the text of '{what}'")
    operand = words[index] if index < len(words) else None
    if runs_code and operand is not None:
        _shell_code(checked, what, operand, words[index + 1 :])
    elif operand is None or operand.plain is None or is_input(operand.plain):
        checked.refuse_everywhere(words, f"a '{base}' whose script is not written out")
        checked.refuse_input(f"the input of '{base}'")


def _shell_code(checked: "Checked", what: str, operand: Word, arguments: list[Word]) -> None:
    context = checked.context
    is_tainted = context.is_tainted or any(checked.hot([*arguments, *checked.command.assignments]))
    is_fed = context.is_fed or bool(checked.feeding)
    if operand.literal is None:
        if is_tainted or is_fed:
            raise Unsafe(f"reach of the text of '{what}'", operand.at)
    else:
        checked.code(
            operand.literal, context._replace(is_tainted=is_tainted, is_fed=is_fed), operand
        )


def _interpreter(checked: "Checked", base: str, words: list[Word]) -> None:
    """``python [options] file arguments…``: the arguments are data, and so is the input."""
    index, options = 1, programs.INTERPRETERS[base]
    while index < len(words) and options.fullmatch(words[index].plain or ""):
        index += 1
    operand = words[index].plain if index < len(words) else None
    if base == "python" and operand == "-m" and index + 1 < len(words):
        if words[index + 1].plain in _MODULES:
            return
    elif operand is not None and operand[:1] != "-" and not is_input(operand):
        return
    checked.refuse_everywhere(words, f"the text of '{base}'")
    # Where the code is an argument, the input is data to it.
    is_code = operand is not None and operand in ("-c", "-e", "-r") and index + 1 < len(words)
    if not (is_code and words[index + 1].literal is not None):
        checked.refuse_input(f"the input of '{base}'")


def _jq(checked: "Checked", words: list[Word]) -> None:
    """``--arg NAME value``: everything else may be the filter."""
    for index, word in enumerate(words):
        is_argument = (
            index > 2
            and words[index - 2].plain in ("--arg", "--argjson")
            and words[index - 1].plain
        )
        if not is_argument and checked.context.is_hot(word):
            raise refuse("an argument of 'jq' without --arg", word)


def is_input(operand: str) -> bool:
    """Whether a file is, or may be, what a command reads as its input."""
    return operand in ("-", "") or bool(_INPUT.search(operand))
