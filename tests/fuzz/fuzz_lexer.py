"""The lexer by execution: no shell runs a value in a program that the lexer
accepts, and each arrives as it is.

The programs run in a throw-away folder, with no more on the PATH than they
may need: a probe, shells and a few tools. A value that is run makes a marker;
a probe notes its arguments byte for byte.
"""

import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from random import Random
from subprocess import DEVNULL
from typing import NamedTuple

from penstock.engine.language.shell.lexer import LexerError, lex, variable_of
from penstock.engine.language.variables import Reference
from tests.fuzz.finding import Finding
from tests.fuzz.shell_programs import Grammar, Program, mutated, values

WEIGHT = 8
"""Starting processes takes its time, and this is the boundary that others stand behind."""
BATCH = 200
LONGEST_S = 60
STUCK_S = 2
LOOK_MS = 250
SHELLS = (["dash"], ["bash"], ["bash", "--posix"], ["busybox", "ash"])
TOOLS = """
    sh bash dash busybox touch cat env nice nohup timeout xargs find grep tee awk sed tar which head
    python3 perl true echo printf test expr sort uname
"""
NAMES = tuple(variable_of(Reference("S", key)) for key in "AB")
_CONCURRENT = re.compile(r"(?<![&|])[&|](?![&|])")
"""Commands that run side by side, and may write into each other's notes."""
PRELUDE = """
ulimit -t 60 -f 4096
probe() {{ printf '%s\\0' "$@" '\1' >&9; }}
slurp() {{ probe "$1" "$(cat; printf x)"; }}
one() {{
  n=$1 code=$2
  printf . >>{out}/begun
  ( cd {work}; set --; eval "$code" ) </dev/null >/dev/null 2>&1 9>>{out}/$n
  [ ! -e {marker} ] || {{ echo "$n" >>{out}/pwned; rm -f {marker}; }}
}}
"""


class Tried(NamedTuple):
    """A program that the lexer accepts, what the shell gets, and the values."""

    program: Program
    code: str
    given: tuple[str, str]

    def told(self, shell: list[str], what: str) -> Finding:
        """Return the finding that a program is."""
        return Finding(
            f"{what} by {' '.join(shell)}\n{self.program.text!r}\nbecomes {self.code!r}\nwith "
            f"{self.given!r}"
        )


def batch(random: Random, folder: Path) -> int:
    """Write programs, run the accepted ones in each shell, look at what they left."""
    marker = folder / "PWNED"
    accepted = []
    for _ in range(BATCH):
        given = values(random, str(marker))
        is_mutated = random.random() < 0.4
        program = mutated(random, given) if is_mutated else Grammar(random, given).program()
        if tried := accept(program, given):
            accepted.append(tried)
    # bash as itself and as sh read alike but for details: one of them is enough for a batch.
    skipped = random.choice([["bash"], ["bash", "--posix"]])
    for shell in SHELLS:
        if shell != skipped:
            run(shell, accepted, folder)
    return BATCH


def accept(program: Program, given: tuple[str, str]) -> Tried | None:
    """Return the program if the lexer accepts it."""
    try:
        return Tried(program, lex(program.text).code, given)
    except LexerError:
        return None


def run(shell: list[str], accepted: list[Tried], folder: Path) -> None:
    """Run programs in one process of a shell; raise Finding for a marker, or
    an argument that is not as it was.
    """
    out = prepared(folder)
    script = PRELUDE.format(work=folder / "work", out=out, marker=folder / "PWNED")
    for index, tried in enumerate(accepted):
        sets = "; ".join(f"{n}={shlex.quote(v)}" for n, v in zip(NAMES, tried.given, strict=True))
        script += f"{sets}; one {index} {shlex.quote(tried.code)}\n"
    (folder / "script").write_text(script + "wait\n")
    env = {"PATH": str(folder / "bin"), "HOME": str(folder), "SHELL": "/bin/sh", "FUNCNEST": "50"}
    with subprocess.Popen([*shell, str(folder / "script")], env=env, cwd=folder,
        start_new_session=True,
                          stdout=DEVNULL, stderr=DEVNULL, stdin=DEVNULL) as process:  # fmt: skip
        try:
            ended = watch(process.pid, out / "begun")
        finally:
            end_session(process.pid)
    if (out / "pwned").exists():
        index = int((out / "pwned").read_text().split()[0])
        raise accepted[index].told(shell, "a value was run")
    for index, tried in enumerate(accepted):
        # What was killed may have noted half of an argument.
        if index not in ended:
            look(shell, tried, out / str(index))


def watch(shell: int, begun: Path) -> set[int]:
    """Wait for a shell, and end each program that does not: a mutation may
    well loop. Return which ones these were.

    Those behind it are tried all the same. A sign of each program's begin
    shows how far the shell has come.
    """
    ended, reached, until = set[int](), -1, time.monotonic() + LONGEST_S
    handle, waiting = os.pidfd_open(shell), select.poll()
    waiting.register(handle, select.POLLIN)
    since = time.monotonic()
    try:
        while not waiting.poll(LOOK_MS):
            count = begun.stat().st_size if begun.exists() else 0
            if count != reached:
                reached, since = count, time.monotonic()
            elif time.monotonic() - since > STUCK_S:
                ended.add(reached - 1)
                end_members(shell, spared=shell)
                since = time.monotonic()
            if time.monotonic() > until:
                ended.add(reached - 1)
                break
    finally:
        os.close(handle)
    return ended


def end_session(session: int) -> None:
    """Kill every process of a session: a program may have made groups of its
    own, and go on forking.

    A parent that ends while it is looked for may have left a child that is not: so nothing must be
    found three times.
    """
    empty = 0
    while empty < 3:
        empty = 0 if end_members(session) else empty + 1


def end_members(session: int, spared: int = 0) -> bool:
    """Kill the processes that a session has now, but for one; return whether there were any.

    The newest are looked at first, before they end; stopped at once, they make no more of
    themselves meanwhile.
    """
    members = [
        pid for pid in sorted(running(), reverse=True) if pid != spared and stopped(pid, session)
    ]
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(members)


def stopped(pid: int, session: int) -> bool:
    """Stop a process if it is of a session; return whether it is."""
    if session_of(pid) != session:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    return True


def running() -> list[int]:
    """Return the processes that there are."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def session_of(pid: int) -> int | None:
    """Return a process's session, None if it has ended."""
    try:
        state, _, _, session, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(session)


def look(shell: list[str], tried: Tried, log: Path) -> None:
    """Raise Finding if a probe of a program was given what it should not."""
    if not log.exists() or _CONCURRENT.search(tried.program.text):
        return
    for record in log.read_bytes().split(b"\0\1\0"):
        number, *arguments = record.split(b"\0")
        wanted = tried.program.expected.get(number.decode(errors="replace"))
        if not number or wanted is None:
            continue
        encoded = [text.encode() for text in wanted]
        if arguments not in (encoded, [*encoded[:-1], encoded[-1] + b"x"]):
            raise tried.told(shell, f"a value was altered: {arguments!r} for {encoded!r}")


def prepared(folder: Path) -> Path:
    """Return an empty folder for notes, beside the programs on the PATH and a folder to work in."""
    programs, work, out = folder / "bin", folder / "work", folder / "out"
    if not programs.exists():
        programs.mkdir()
        for name in TOOLS.split():
            if found := shutil.which(name):
                (programs / name).symlink_to(found)
        probe = "#!/bin/dash\nprintf '%s\\0' \"$@\" '\1' >&9\n"
        (programs / "probe").write_text(probe)
        (programs / "probe").chmod(0o755)
    for each in (work, out):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir()
    (work / "probe").symlink_to(programs / "probe")
    for name in ("script", "script.py"):
        (work / name).write_text(":\n" if name == "script" else "pass\n")
        (work / name).chmod(0o755)
    return out
