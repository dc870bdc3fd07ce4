"""Reads the credential of a Git host from a mounted Secret, as the header that git sends."""

from pathlib import Path

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job
from penstock.actions.git.isolation import basic_authorization


def basic_auth(job: Job, key: str, called: str) -> str:
    """Return the header of a kubernetes.io/basic-auth Secret, empty where the key names none.

    ``called`` is what a message calls the Secret. Raise ActionError if it is of another type.
    """
    folder = job.secret(key)
    if folder is None:
        return ""
    try:
        return basic_authorization(_text(folder / "username"), _text(folder / "password"))
    except (OSError, UnicodeDecodeError) as error:
        raise ActionError(
            CONFIGURATION_ERROR, f"{called} is missing, or not of type kubernetes.io/basic-auth"
        ) from error


def token_or_basic_auth(job: Job, key: str, called: str, user: str) -> str:
    """Return the header of a Secret with a key ``token``, or with username and password.

    ``user`` goes with a token. It is empty where the key names no Secret. Raise ActionError if the
    Secret has neither.
    """
    folder = job.secret(key)
    if folder is None:
        return ""
    try:
        if (folder / "token").exists():
            return basic_authorization(user, _text(folder / "token"))
        return basic_authorization(_text(folder / "username"), _text(folder / "password"))
    except (OSError, UnicodeDecodeError) as error:
        raise ActionError(
            CONFIGURATION_ERROR,
            f"{called} is missing, or has neither a token nor a username and a password",
        ) from error


def _text(path: Path) -> str:
    # An editor may end a file with a line break, and a password may end with a space.
    return path.read_text().strip("\r\n")
