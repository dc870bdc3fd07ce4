"""Builds a kustomization with the real kustomize, which gets nothing but the artifact.

Law: nothing from the network and nothing from outside the artifact. What a
kustomization names is looked at first, and must stand in the artifact; the
program then runs without credentials, without git, and with a proxy where
nobody listens. Plugins, functions and Helm are off, as they are unless turned
on.
"""

import resource
import shutil
import subprocess
from pathlib import Path

from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    SYSTEM_UNAVAILABLE,
    TIMED_OUT,
    ActionError,
    Job,
)
from penstock.actions.kubernetes.manifests.kustomizations import check

# kustomize builds in seconds; a minute is a loop that it does not see.
_TIMEOUT_S = 60.0
# What it may print: generators multiply what they are given.
_OUTPUT_BYTES = 32 * 1024 * 1024
# A result must fit a termination message of 4 KiB.
_ERROR_CHARS = 1000
_NOBODY = "http://127.0.0.1:9"


def build(job: Job, folder: Path, path: str) -> bytes:
    """Return the manifests of the kustomization ``path`` in the artifact's ``folder``, as YAML."""
    check(folder, path)
    program = shutil.which("kustomize")
    if program is None:
        raise ActionError(
            CONFIGURATION_ERROR,
            f"{path}: the image has no kustomize to build it with; build it in an action before",
        )
    home = job.scratch / "kustomize"
    home.mkdir(exist_ok=True)
    output, errors = home / "output", home / "errors"
    timeout = min(_TIMEOUT_S, job.remaining())
    try:
        with output.open("wb") as out, errors.open("wb") as err:
            done = subprocess.run(
                [program, "build", str(folder / path)],
                cwd=folder, env=_environment(home),
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout,
                preexec_fn=_limit_output, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ActionError(
            TIMED_OUT, f"{path}: kustomize did not end within {timeout:.0f} s"
        ) from error
    except OSError as error:
        raise ActionError(
            SYSTEM_UNAVAILABLE, f"{path}: kustomize could not be started: {error}"
        ) from error
    if output.stat().st_size >= _OUTPUT_BYTES:
        raise ActionError(
            CONFIGURATION_ERROR, f"{path}: kustomize made more than {_OUTPUT_BYTES} bytes"
        )
    if done.returncode:
        raise ActionError(
            CONFIGURATION_ERROR, f"{path}: kustomize: {_words(errors, folder) or done.returncode}"
        )
    if warnings := _words(errors, folder):
        job.log(f"kustomize: {warnings}")
    return output.read_bytes()


def _environment(home: Path) -> dict[str, str]:
    """Return all that the program knows: a folder of its own, and a proxy where nobody listens."""
    folders = {"HOME": str(home), "PATH": str(home), "TMPDIR": str(home)}
    return folders | {"HTTP_PROXY": _NOBODY, "HTTPS_PROXY": _NOBODY, "ALL_PROXY": _NOBODY}


def _limit_output() -> None:
    """Let the kernel end the program when it writes more than it may; runs in the child."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_OUTPUT_BYTES, _OUTPUT_BYTES))


def _words(errors: Path, folder: Path) -> str:
    """Return the program's last words, with paths as they are in the artifact."""
    with errors.open("rb") as file:
        text = file.read(16 * _ERROR_CHARS).decode("utf-8", "replace")
    lines = [line for line in text.replace(f"{folder}/", "").splitlines() if line.strip()]
    return " ".join(lines).removeprefix("Error: ")[:_ERROR_CHARS]
