"""The triggers process: what starts runs by itself, with rights of its own."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

from penstock.cluster.credentials import credentials_here
from penstock.triggers.config import ConfigError, TriggerSettings, read_config
from penstock.triggers.process import Triggers

_FIELDS = ("namespace", "pipeline", "run")


class JsonFormatter(logging.Formatter):
    """One JSON object a line, as the operator writes them."""

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


def main() -> None:
    """Run triggers until told to stop."""
    parser = argparse.ArgumentParser(prog="penstock-triggers", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file (YAML)")
    parser.add_argument("--log-format", choices=("json", "plain"), default="json")
    arguments = parser.parse_args()
    handler = logging.StreamHandler()
    if arguments.log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # The pod's uid, so that a restarted container of the same pod goes on at once with its own lease.
    identity = os.environ.get("PENSTOCK_POD_UID") or f"{socket.gethostname()}-{os.getpid()}"
    try:
        settings = read_config(arguments.config, identity=identity)
    except (ConfigError, OSError) as error:
        parser.exit(2, f"penstock-triggers: {error}\n")
    asyncio.run(run(settings))


async def run(settings: TriggerSettings) -> None:
    """Run until SIGTERM or SIGINT, then give the Lease back."""
    work = asyncio.create_task(Triggers(credentials_here(), settings).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    main()
