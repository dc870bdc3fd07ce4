"""The one error of stores, packing and unpacking: a code for the result, a message for the user."""

from penstock.api.text import printable


class ArtifactError(Exception):
    """An artifact could not be made, stored or read. ``code`` is a failure type of CodePipeline."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def shown(path: str) -> str:
    """Return a file's name for a message: meaningless bytes and control characters escaped."""
    return printable(path.encode("utf-8", "backslashreplace").decode())
