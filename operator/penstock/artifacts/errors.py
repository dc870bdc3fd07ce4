"""The one error of stores, packing and unpacking: a code for the result, a message for the user."""

from penstock.api.text import printable


class ArtifactError(Exception):
    """An artifact could not be made, stored or read. ``code`` is one of
    CodePipeline's failure types.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def shown(path: str) -> str:
    """Return a file's name as a message shows it: bytes without meaning and
    control characters escaped.
    """
    return printable(path.encode("utf-8", "backslashreplace").decode())
