"""Writes the program of all phases: one shell, so that ``cd``, exports and functions carry over (B-04).

Commands run through ``eval`` of a quoted text. Where one ends the shell itself (``exit``, or ``set -e`` typed
as a command), the EXIT trap replaces the shell by a fresh one that goes on behind that command, with the folder
and the exported variables of the old one (B-08). Each step therefore has a number and is skipped up to the last.
"""

from pathlib import Path

from penstock.actions.codebuild.buildspec import PHASES, Buildspec, Phase
from penstock.actions.quoting import keep, quote

_NO_RUNTIMES = (
    "[Container] Skipping install of runtimes. Runtime version selection is not supported by this build image"
)


class _Writer:
    """Numbers the steps as they are written."""

    def __init__(self, notes: Path) -> None:
        self.lines: list[str] = []
        self._notes = quote(str(notes))
        self._step = 0

    def step(self, condition: str, *body: str) -> None:
        self._step += 1
        self.lines += [f'if [ "$penstock_at" -lt {self._step} ] && {condition}; then', f"penstock_at={self._step}"]
        self.lines += [*body, "fi"]

    def phase(self, name: str, phase: Phase) -> None:
        upper = name.upper()
        begin = [f"printf '[Container] Entering phase %s\\n' {upper}", f"printf 'begin %s\\n' {upper} >> {self._notes}"]
        begin += [f"printf '%s\\n' {quote(_NO_RUNTIMES)}"] if phase.has_runtimes else []
        self.step(_GOING, "penstock_failed=0 penstock_list=0", *begin)
        for index, command in enumerate(phase.commands):
            self.command(f"{name} commands {index}", command)
        self.step(_GOING, "penstock_list=0")
        for index, command in enumerate(phase.finally_):
            self.command(f"{name} finally {index}", command)
        goes_on = phase.on_failure == "CONTINUE" or (name == "build" and phase.on_failure != "ABORT")
        self.step(
            _GOING,
            'if [ "$penstock_failed" = 0 ]; then penstock_state=SUCCEEDED; else penstock_state=FAILED',
            "CODEBUILD_BUILD_SUCCEEDING=0; export CODEBUILD_BUILD_SUCCEEDING",
            f"penstock_stop={0 if goes_on else 1}; fi",
            f"printf '[Container] Phase complete: {upper} State: %s\\n' \"$penstock_state\"",
        )

    def command(self, where: str, text: str) -> None:
        self.step(
            f'{_GOING} && [ "$penstock_list" = 0 ]',
            f"penstock_where={quote(where)}",
            f"printf '[Container] Running command %s\\n' {quote(text)}",
            f"eval {quote(text)}",
            "penstock_code=$?",
            "penstock_ended",
        )


_GOING = '[ "$penstock_stop" = 0 ]'


def render(buildspec: Buildspec, program: Path, report: Path, folder: Path, variables: tuple[str, ...]) -> str:
    """Return the program; it keeps its notes and the last values of ``variables`` in the report folder."""
    notes = report / "notes"
    shell = "bash" if buildspec.shell == "bash" else "sh"
    again = f'exec {shell} {quote(str(program))} "$penstock_at" "$penstock_code" "$penstock_failed" "$penstock_list"'
    writer = _Writer(notes)
    for name in PHASES:
        writer.phase(name, buildspec.phases[name])
    start = f". {quote(str(program.with_name('values')))} && cd {quote(str(folder))} || exit 96"
    switch = ['if [ -z "${BASH_VERSION-}" ]; then exec bash "$0"; fi'] if shell == "bash" else []
    return "\n".join(
        [
            *switch,
            "penstock_ended() {",
            '  if [ "$penstock_code" = 0 ]; then return; fi',
            "  penstock_failed=1 penstock_list=1",
            '  if [ "$penstock_result" = 0 ]; then penstock_result=$penstock_code; fi',
            f'  printf \'failed %s %s\\n\' "$penstock_where" "$penstock_code" >> {quote(str(notes))}',
            "}",
            "penstock_again() {",
            "  penstock_code=$?; trap - EXIT",
            f'  {again} "$penstock_result" "$penstock_stop" "$penstock_where"',
            "}",
            'if [ "$#" = 7 ]; then penstock_at=$1 penstock_code=$2 penstock_failed=$3 penstock_list=$4',
            "penstock_result=$5 penstock_stop=$6 penstock_where=$7; set --; penstock_ended",
            "else penstock_at=0 penstock_code=0 penstock_failed=0 penstock_list=0 penstock_result=0 penstock_stop=0",
            f"penstock_where=; {start}",
            "fi",
            "trap penstock_again EXIT",
            *writer.lines,
            "trap - EXIT",
            *(keep(name, str(report / "variables" / name)) for name in variables),
            f"printf 'end\\n' >> {quote(str(notes))}",
            'exit "$penstock_result"',
            "",
        ]
    )
