"""The triggers process: what starts runs by itself, with rights of its own."""

from functools import partial

from penstock.cluster.credentials import credentials_here
from penstock.runtime.config import process_identity
from penstock.runtime.program import run_program
from penstock.triggers.config import TriggerSettings, read_config
from penstock.triggers.process import Triggers


def main() -> None:
    """Run triggers until told to stop, then give the Lease back."""
    run_program(
        "penstock-triggers", __doc__, partial(read_config, identity=process_identity()), _run
    )


async def _run(settings: TriggerSettings) -> None:
    await Triggers(credentials_here(), settings).run()


if __name__ == "__main__":
    main()
