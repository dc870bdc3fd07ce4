"""Logs: one JSON object a line, as Kopf writes the operator's."""

import json
import logging
from datetime import UTC, datetime

_FIELDS = ("namespace", "pipeline", "run")


class JsonFormatter(logging.Formatter):
    """Writes a record as JSON, with the names of what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "severity": record.levelname.lower(),
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in _FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(log_format: str) -> None:
    """Write the process's logs to standard error; ``log_format`` is json or plain."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
