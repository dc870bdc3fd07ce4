"""What makes an action fail before it has begun."""


class RequestError(ValueError):
    """An action cannot start; ``code`` and the message become its error details."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
