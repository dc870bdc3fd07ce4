r"""Writes the script that the action container's shell reads, and the values it refers to.

Every text that comes from outside passes `quote` on its way into shell code;
nothing else does. Commands run one by one through ``eval`` of a quoted text,
so a command with an open quote fails by itself and cannot swallow the next
one; all of them run in one shell and the first that fails ends it (P-18).
"""

from collections.abc import Mapping
from pathlib import Path

from penstock.actions.quoting import evaluated, keep, quote, variable
from penstock.api.contract.contracts import Script

CANNOT_START = 96
"""Exit code of the script when its folder or its values are gone."""


def render_values(script: Script, environment: Mapping[str, str]) -> str:
    """Return the file that sets variables: it exports the environment's, not referenced values.

    A referenced value is read by this one shell; exporting it would count against the system's
    limits for every program that a command starts.
    """
    lines = [f"{variable(name)}={quote(value)}" for name, value in script.values.items()]
    lines += [
        f"export {variable(name)}={quote(value)}"
        for name, value in {**environment, **script.environment}.items()
    ]
    return "\n".join([*lines, ""])


def render_script(script: Script, values_file: Path, folder: Path, report: Path) -> str:
    """Return the script; it notes its progress and output variables in the folder ``report``."""
    lines = [
        f". {quote(str(values_file))} || exit {CANNOT_START}",
        f"cd {quote(str(folder))} || exit {CANNOT_START}",
        "penstock_variables() {",
        "  :",
        *(f"  {keep(name, str(report / 'variables' / name))}" for name in script.output_variables),
        "}",
        # A command that exits before the end leaves its variables, too.
        "trap penstock_variables EXIT",
    ]
    for index, command in enumerate(script.commands):
        lines += [
            # A command may have set noclobber, and `>|` writes all the same.
            f"printf '%s' {index} >| {quote(str(report / 'command'))}",
            f"printf '+ %s\\n' {quote(command.text)}",
            evaluated(command.code),
            'penstock_code=$?; [ "$penstock_code" = 0 ] || exit "$penstock_code"',
        ]
    # Once more, for commands that set an EXIT trap of their own.
    return "\n".join([*lines, "penstock_variables", ""])
