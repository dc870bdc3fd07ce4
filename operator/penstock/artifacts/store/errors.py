"""Tells what failed at the artifact store, and what to change: credentials, bucket or endpoint."""

import re

from obstore import exceptions

from penstock.api.text import shorten
from penstock.artifacts.errors import ArtifactError

# Servers' words for wrong keys: AWS, most others, and versitygw (404 for an unknown key).
_WRONG_KEYS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "XAdminUserNotFound",
}
_WRONG_REGION = {
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "IllegalLocationConstraintException",
}
# What servers say of a version that is not there, or is none.
_NO_VERSION = {"NoSuchVersion", "InvalidArgument"}
_TAGS = ("Code", "Message")
_CAUSE = re.compile(r'(?:message|error): "([^"]+)"')


class MissingObjectError(ArtifactError):
    """The object, or its version, does not exist."""


def error_of(where: str, key: str, error: Exception) -> ArtifactError:
    """Return what an error of the store's library means for an object, and what to do about it."""
    # obstore adds its error once more, as Rust prints it for programmers.
    text, _, debug = str(error).partition("\n\nDebug source")
    code, why = _said(text, debug)
    refused = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
    if code == "NoSuchBucket" or code in _WRONG_REGION:
        what = (
            "the bucket does not exist"
            if code == "NoSuchBucket"
            else f"the region is not the bucket's: {why}"
        )
        return ArtifactError("ConfigurationError", f"{where}: {what}")
    if code in _WRONG_KEYS:
        return ArtifactError(
            "PermissionError",
            f"{where}: the credentials are wrong, check the keys in their Secret: {why}",
        )
    if "Permission denied (os error 13)" in f"{text} {debug}":
        hint = "group 65532 (the pod's fsGroup) must be able to write to the volume"
        return ArtifactError("PermissionError", f"{where}: permission denied; {hint}")
    if refused:
        return ArtifactError("PermissionError", f"{where}: access to {key} was denied: {why}")
    if isinstance(error, exceptions.NotFoundError | FileNotFoundError):
        return MissingObjectError("SystemUnavailable", f"{where}: the object {key} does not exist")
    if code in _NO_VERSION:
        return MissingObjectError("SystemUnavailable", f"{where}: {key} has no such version: {why}")
    if any(word in text for word in ("credential", "169.254.169.254")):
        return ArtifactError("PermissionError", f"{where}: no credentials were found: {why}")
    return ArtifactError("SystemUnavailable", f"{where} could not be reached or used: {why}")


def _said(text: str, debug: str) -> tuple[str, str]:
    """Return the server's error code, and the problem in its words or in the connection's."""
    code, message = (
        found.group(1) if (found := re.search(f"<{tag}>([^<]*)<", text)) else "" for tag in _TAGS
    )
    if "&" in message:
        from html import unescape  # Here, as its table is large and errors are few.

        message = unescape(message)
    if code:
        return code, brief(f"{code}: {message}" if message else code)
    causes = _CAUSE.findall(debug) or (["no answer in time"] if "kind: Timeout" in debug else [])
    return "", brief(causes[-1] if causes else text.strip())


def brief(text: str, limit: int = 300) -> str:
    """Return a text on one line, both ends of what is too long."""
    return shorten(" ".join(text.split()), limit)
