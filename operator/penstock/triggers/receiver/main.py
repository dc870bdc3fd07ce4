"""The receiver process: takes webhooks of Git hosts, with rights of its own."""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from penstock.cluster.credentials import credentials_here
from penstock.runtime.config import ConfigError
from penstock.runtime.logs import configure
from penstock.triggers.receiver.config import ReceiverSettings, read_config
from penstock.triggers.receiver.process import ReceiverProcess


def main() -> None:
    """Run the receiver until told to stop."""
    parser = argparse.ArgumentParser(prog="penstock-receiver", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file (YAML)")
    parser.add_argument("--log-format", choices=("json", "plain"), default="json")
    arguments = parser.parse_args()
    configure(arguments.log_format)
    try:
        settings = read_config(arguments.config)
    except (ConfigError, OSError) as error:
        parser.exit(2, f"penstock-receiver: {error}\n")
    asyncio.run(run(settings))


async def run(settings: ReceiverSettings) -> None:
    """Run until SIGTERM or SIGINT."""
    work = asyncio.create_task(ReceiverProcess(credentials_here(), settings).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


if __name__ == "__main__":
    main()
