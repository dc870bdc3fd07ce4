"""Reads single files of input artifacts that a configuration names as ``Artifact::file`` (P-30)."""

import os
from collections.abc import Mapping
from pathlib import Path

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.api.text import printable


def locate(inputs: Mapping[str, Path], where: str, name: str) -> Path:
    """Return the file ``name``: ``Artifact::file``, or a file of the first input artifact.

    Links are followed as long as they stay in the artifact. Raise ActionError, which begins with
    ``where`` the name stands, if there is no such artifact or file.
    """
    artifact, path = _parts(inputs, name)
    if artifact not in inputs:
        has = f"it has {', '.join(inputs)}" if inputs else "it has none"
        raise _problem(where, f'"{artifact}" is no input artifact of the action; {has}')
    # Resolved on both sides, as the folder itself may stand behind a link.
    folder = Path(os.path.realpath(inputs[artifact]))
    file = Path(os.path.realpath(folder / path)) if "\0" not in path else folder
    if not file.is_relative_to(folder) or not _is_file(file):
        raise _problem(where, f'artifact {artifact} holds no file "{printable(path[:200])}"')
    return file


def read(inputs: Mapping[str, Path], where: str, name: str, limit: int) -> bytes:
    """Return the bytes of the file ``name``; raise ActionError if they exceed ``limit``."""
    artifact, path = _parts(inputs, name)
    try:
        with locate(inputs, where, name).open("rb") as opened:
            # One byte more than allowed shows that there are more.
            data = opened.read(limit + 1)
    except OSError as error:
        raise _problem(
            where, f'"{path}" in artifact {artifact} cannot be read: {error.strerror}'
        ) from error
    if len(data) > limit:
        raise _problem(where, f'"{path}" in artifact {artifact} is larger than {limit} bytes')
    return data


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long to be one
        return False


def _parts(inputs: Mapping[str, Path], name: str) -> tuple[str, str]:
    artifact, separator, path = name.partition("::")
    return (artifact, path) if separator else (next(iter(inputs), ""), name)


def _problem(where: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{where}: {why}")
