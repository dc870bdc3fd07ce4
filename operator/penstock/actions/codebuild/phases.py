"""Writes the program of all phases: one shell, so ``cd``, exports and functions carry over (B-04).

Commands run through ``eval`` of a quoted text. Where one ends the shell itself (``exit``, or ``set
-e`` typed as a command), the EXIT trap replaces the shell by a fresh one that goes on behind that
command, with the folder and the exported variables of the old one (B-08). Each step therefore has a
number and is skipped up to the last. Where the trap has no say (a command set its own, or replaced
the shell by ``exec``), an outer shell goes on with what stood there before that command.
"""

from pathlib import Path

from penstock.actions.codebuild import outside
from penstock.actions.codebuild.buildspec import PHASES, Buildspec, Phase
from penstock.actions.execution import LINE_START
from penstock.actions.quoting import evaluated, keep, quote

NO_BASH = "no bash"
"""The note of a program that needs a shell that the image does not have."""
_NO_RUNTIMES = (
    "[Container] Skipping install of runtimes. Runtime version selection is not supported by this "
    "build image"
)
# Puts our line on its own after output without a newline; written as ``printf`` reads it.
_BEGIN = LINE_START.replace("\x1e", "\\036")
# The variables that the next shell takes over to go on. They are the step, whether the phase and
# the list of commands have failed, the exit code of the build, whether it stops, and the command
# that was begun.
_STATE = ("at", "failed", "list", "result", "stop", "where")
# How often commands may end the shell before the build is broken off.
_LIVES = 1_000
# How the program calls itself: the shell was looked up before a build could change the PATH.
_CALL = '"$penstock_shell" {} "$penstock_shell"'
_GOING = '[ "$penstock_stop" = 0 ]'


class _Writer:
    """Numbers the steps as they are written."""

    def __init__(self, report: Path, *, has_one_shell: bool) -> None:
        self.lines: list[str] = []
        self._notes, self._state, self._folder = (
            quote(str(report / name)) for name in ("notes", "state", "folder")
        )
        self._has_one_shell = has_one_shell
        self._step = 0

    def step(self, condition: str, *body: str) -> None:
        self._step += 1
        self.lines += [
            f'if [ "$penstock_at" -lt {self._step} ] && {condition}; then',
            f"penstock_at={self._step}",
        ]
        self.lines += [*body, "fi"]

    def phase(self, name: str, phase: Phase) -> None:
        upper = name.upper()
        begin = [
            f"printf '{_BEGIN}[Container] Entering phase %s\\n' {upper}",
            f"printf 'begin %s\\n' {upper} >> {self._notes}",
        ]
        begin += [f"printf '{_BEGIN}%s\\n' {quote(_NO_RUNTIMES)}"] if phase.has_runtimes else []
        self.step(_GOING, "penstock_failed=0 penstock_list=0", *begin)
        for index, command in enumerate(phase.commands):
            self.command(f"{name}:commands:{index}", command)
        # The list of `finally` runs whatever became of the one before (B-22).
        self.step(_GOING, "penstock_list=0")
        for index, command in enumerate(phase.finally_):
            self.command(f"{name}:finally:{index}", command)
        # After a failure in `build`, `post_build` still runs (B-25), unless that phase says ABORT
        # (B-27).
        goes_on = phase.on_failure == "CONTINUE" or (
            name == "build" and phase.on_failure != "ABORT"
        )
        self.step(
            _GOING,
            'if [ "$penstock_failed" = 0 ]; then penstock_state=SUCCEEDED; else '
            "penstock_state=FAILED",
            f"penstock_stop={0 if goes_on else 1}; fi",
            f"printf '{_BEGIN}[Container] Phase complete: {upper} State: %s\\n' "
            f'"$penstock_state"',
        )

    def command(self, where: str, text: str) -> None:
        self.step(
            f'{_GOING} && [ "$penstock_list" = 0 ]',
            f"penstock_where={where}",
            # For the outer shell, where the command replaces this one by exec.
            f"penstock_keep >| {self._state}",
            f"pwd >| {self._folder}",
            f"printf '{_BEGIN}[Container] Running command %s\\n' {quote(text)}",
            'if [ "$penstock_trace" = 1 ]; then set -x; fi',
            evaluated(text) if self._has_one_shell else f"(trap - EXIT; {evaluated(text)})",
            # A trace that a command has turned on (set -x) shall show commands, not what stands
            # between them.
            "{ penstock_code=$?; penstock_quiet; } 2>/dev/null",
            "penstock_ended",
        )


def render(
    buildspec: Buildspec, program: Path, report: Path, folder: Path, variables: tuple[str, ...]
) -> str:
    """Return the program; it leaves notes and last values of ``variables`` in the report folder."""
    writer = _Writer(report, has_one_shell=buildspec.has_one_shell)
    for name in PHASES:
        writer.phase(name, buildspec.phases[name])
    shell = "bash" if buildspec.shell == "bash" else "sh"
    return "\n".join(
        [
            *(_use_bash(report) if shell == "bash" else ()),
            # Without arguments this is the outer shell: the inner ones get their state by them.
            'if [ "$#" = 0 ]; then',
            f"  penstock_shell=$(command -v {shell}) || penstock_shell={shell}",
            *_outer(_CALL.format(quote(str(program))), program.with_name("values"), report, folder),
            "fi",
            *_inner(_CALL.format(quote(str(program))), report / "notes"),
            *writer.lines,
            *(keep(name, str(report / "variables" / name)) for name in variables),
            *outside.code(buildspec, report, folder),
            f"printf 'end\\n' >> {quote(str(report / 'notes'))}",
            f": >| {quote(str(report / 'end'))}",
            "penstock_is_over=1",
            'exit "$penstock_result"',
            "",
        ]
    )


def _use_bash(report: Path) -> list[str]:
    return [
        'if [ -z "${BASH_VERSION-}" ]; then',
        f"  if ! command -v bash >/dev/null 2>&1; then echo {NO_BASH} >> "
        f"{quote(str(report / 'notes'))}; exit 127; fi",
        '  exec bash "$0"',
        "fi",
    ]


def _outer(program: str, values: Path, report: Path, source: Path) -> list[str]:
    """Run the phases in inner shells: a new one after each that a command ends, never for ever."""
    state, folder, end = (quote(str(report / name)) for name in ("state", "folder", "end"))
    arguments = " ".join(f'"$penstock_{name}"' for name in _STATE)
    return [
        f"  . {quote(str(values))} && cd {quote(str(source))} || exit 96",
        f"  {program} 0 0 0 0 0 0 ''",
        "  penstock_code=$? penstock_lives=0",
        f'  while [ ! -e {end} ] && [ -e {state} ] && [ "$penstock_lives" -lt {_LIVES} ]; do',
        "    penstock_lives=$((penstock_lives + 1))",
        f'    (. {state}; IFS= read -r penstock_folder < {folder}; cd "$penstock_folder"',
        f'    {program} "$penstock_code" {arguments})',
        "    penstock_code=$?",
        "  done",
        '  exit "$penstock_code"',
    ]


def _inner(program: str, notes: Path) -> list[str]:
    """Take over from the last shell, if there was one; be replaced when a command ends this one."""
    arguments = " ".join(f'"$penstock_{name}"' for name in _STATE)
    positional = " ".join(
        f"penstock_{name}=${index}" for index, name in enumerate(("shell", "code", *_STATE), 1)
    )
    assignments = [f"printf 'penstock_{name}=%s\\n' \"$penstock_{name}\"" for name in _STATE]
    return [
        "penstock_ended() {",
        '  if [ "$penstock_code" = 0 ]; then return; fi',
        "  penstock_failed=1 penstock_list=1",
        '  if [ "$penstock_result" = 0 ]; then penstock_result=$penstock_code; fi',
        "  CODEBUILD_BUILD_SUCCEEDING=0; export CODEBUILD_BUILD_SUCCEEDING",
        f'  printf \'failed %s %s\\n\' "$penstock_where" "$penstock_code" >> {quote(str(notes))}',
        "}",
        "penstock_keep() {",
        "  export -p",
        *(f"  {line}" for line in assignments),
        "}",
        'penstock_quiet() { case "$-" in *x*) penstock_trace=1; set +x ;; *) penstock_trace=0 ;; '
        "esac; }",
        "penstock_again() {",
        "  { penstock_code=$?; penstock_quiet; } 2>/dev/null",
        "  trap - EXIT",
        '  if [ "${penstock_is_over-}" = 1 ]; then exit "$penstock_result"; fi',
        # exec keeps the folder and the exported variables of the shell that a command ended (B-08).
        f'  exec {program} "$penstock_code" {arguments}',
        "}",
        f"{positional} penstock_trace=0; set --",
        "trap penstock_again EXIT",
        'if [ -n "$penstock_where" ]; then penstock_ended; fi',
    ]
