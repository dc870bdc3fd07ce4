"""A process of ours without Kopf: its command line, its configuration, and its end by a signal."""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from penstock.runtime.config import ConfigError
from penstock.runtime.logs import configure

Settings = TypeVar("Settings")


def run_program(
    name: str,
    description: str | None,
    read: Callable[[Path], Settings],
    work: Callable[[Settings], Awaitable[None]],
) -> None:
    """Run ``work`` with the settings of the file that ``--config`` names, until told to stop.

    A file that is not right ends the process with exit code 2 and the reason.
    """
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file (YAML)")
    parser.add_argument("--log-format", choices=("json", "plain"), default="json")
    arguments = parser.parse_args()
    configure(arguments.log_format)
    try:
        settings = read(arguments.config)
    except (ConfigError, OSError) as error:
        parser.exit(2, f"{name}: {error}\n")
    asyncio.run(_until_told(work, settings))


async def _until_told(work: Callable[[Settings], Awaitable[None]], settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, which cancel it: what it holds, it gives back."""
    task = asyncio.ensure_future(work(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
