"""The receiver process: takes webhooks of Git hosts, with rights of its own."""

from penstock.cluster.credentials import credentials_here
from penstock.runtime.program import run_program
from penstock.triggers.receiver.config import ReceiverSettings, read_config
from penstock.triggers.receiver.process import ReceiverProcess


def main() -> None:
    """Run the receiver until told to stop."""
    run_program("penstock-receiver", __doc__, read_config, _run)


async def _run(settings: ReceiverSettings) -> None:
    await ReceiverProcess(credentials_here(), settings).run()


if __name__ == "__main__":
    main()
