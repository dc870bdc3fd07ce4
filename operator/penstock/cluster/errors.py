"""What the API server can answer, by what it means for us; made in one place, from its Status."""


class ClusterError(Exception):
    """An answer that is no success. ``what`` names verb, kind, namespace and name."""

    def __init__(self, what: str, message: str, status: int = 0) -> None:
        super().__init__(f"{what}: {message}")
        self.what, self.message, self.status = what, message, status


class NotFoundError(ClusterError):
    """404: the object is not there."""


class AlreadyExistsError(ClusterError):
    """409 on create: an object of that name is there."""


class ConflictError(ClusterError):
    """409 on change: what we knew of the object is stale."""


class ForbiddenError(ClusterError):
    """401 or 403: it will not heal by itself."""


class InvalidError(ClusterError):
    """400 or 422: the object is not acceptable, now and later."""


class UnavailableError(ClusterError):
    """No answer in time, 429 or 5xx: try again; ``retry_after`` says when, where the server did."""

    retry_after: float | None = None


class ExpiredError(ClusterError):
    """410: a continue token or resource version is too old; list again."""


_BY_STATUS: dict[int, type[ClusterError]] = {
    400: InvalidError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    422: InvalidError,
    429: UnavailableError,
}


def error_of(what: str, status: int, reason: str, message: str) -> ClusterError:
    """Return the error that an answer means."""
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExistsError(what, message, status)
    kind = UnavailableError if status >= 500 else _BY_STATUS.get(status, ClusterError)
    return kind(what, message or reason or f"HTTP {status}", status)
