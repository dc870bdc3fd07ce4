"""The triggers process: what starts runs by itself, with rights of its own."""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from penstock.cluster.credentials import credentials_here
from penstock.runtime.config import ConfigError, process_identity
from penstock.runtime.logs import configure
from penstock.triggers.config import TriggerSettings, read_config
from penstock.triggers.process import Triggers


def main() -> None:
    """Run triggers until told to stop."""
    parser = argparse.ArgumentParser(prog="penstock-triggers", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file (YAML)")
    parser.add_argument("--log-format", choices=("json", "plain"), default="json")
    arguments = parser.parse_args()
    configure(arguments.log_format)
    try:
        settings = read_config(arguments.config, identity=process_identity())
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
