"""What the script left about itself: which command it was at, and its output variables.

The folder is the action's to write, so each file is opened without following links, must be a
regular one, and is read up to a limit.
"""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from penstock.actions.execution import JOB_FAILED, ActionError
from penstock.artifacts.errors import shown

TOO_LARGE = "OutputVariablesSizeExceeded"


class ScriptOutput:
    """The report folder, held open from before the action starts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "variables").mkdir()
        for path in (folder, folder / "variables"):
            # Any user may write there, and by the set-group bit it belongs to the group that we
            # share.
            path.chmod(0o2777)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._folder = os.open(folder, flags)
        self._variables = os.open(folder / "variables", flags)

    def command(self) -> int | None:
        """Return the index of the command that ran last."""
        data = _read(self._folder, "command", 16)
        return int(data) if data is not None and data.isdigit() else None

    def notes(self, limit: int = 64 * 1024) -> str:
        """Return what the program noted about its progress, up to a limit."""
        return (_read(self._folder, "notes", limit) or b"").decode("utf-8", "replace")

    def text(self, name: str, limit: int = 4096) -> str:
        """Return the beginning of a text that the program left, without its last newlines."""
        return (_read(self._folder, name, limit) or b"").decode("utf-8", "replace").rstrip("\n")

    def variable_names(self, limit: int = 1000) -> list[str]:
        """Return names in the folder of variables, up to the limit: the program may write any."""
        with os.scandir(self._variables) as entries:
            return sorted(entry.name for entry, _ in zip(entries, range(limit), strict=False))

    def variables(self, names: Sequence[str], limit: int) -> dict[str, str]:
        """Return the output variables that are set; raise ActionError if too large (Q-12)."""
        found: dict[str, bytes] = {}
        for name in names:
            # One byte more than allowed shows that there are more.
            data = _read(self._variables, name, limit + 1)
            if data is not None:
                found[name] = data
        sizes = {name: len(data) for name, data in found.items()}
        if sum(sizes.values()) > limit:
            raise ActionError(TOO_LARGE, size_message(sizes, f"the limit is {limit}"))
        return {name: data.decode("utf-8", "replace") for name, data in found.items()}


def _unreadable(folder: int, name: str, why: str) -> ActionError:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        why += f" (owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o})"
    except OSError:
        pass
    return ActionError(
        JOB_FAILED,
        f'"{shown(name[:100])}" in the action\'s report cannot be read by the agent: {why}',
    )


def size_message(sizes: dict[str, int], limit: str) -> str:
    """Return a message that names the largest variables."""
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    named = ", ".join(f"{name} {size}" for name, size in largest)
    return f"the output variables hold {sum(sizes.values())} bytes, {limit}: {named}"


def _read(folder: int, name: str, limit: int) -> bytes | None:
    """Return the beginning of a file, None if there is none; raise ActionError if unreadable."""
    try:
        # Without O_NONBLOCK the open of a FIFO would wait for a writer.
        file = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (
            errno.ELOOP,
            errno.ENXIO,
        ):  # a link or a socket, which no wrapper of ours writes
            return None
        raise _unreadable(folder, name, error.strerror or "") from error
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        data = b""
        while len(data) < limit and (more := os.read(file, limit - len(data))):
            data += more
        return data
    finally:
        os.close(file)
