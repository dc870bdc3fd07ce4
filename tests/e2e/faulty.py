"""The real operator, made to die: after its nth write it ends as by SIGKILL, between two effects.

The one place that sends (`Client.send`) is wrapped here, so that no fault code ships. Writes of the Lease do
not count: they are no effects.
"""

from __future__ import annotations

import os
from typing import Any

from penstock.cluster.client import Client
from penstock.handlers.main import main

EXIT_KILLED = 137


def die_after(writes: int) -> None:
    """Let the process end right after so many writes were answered."""
    send = Client.send
    done = 0

    async def counted(self: Client, method: str, path: str, **fields: Any) -> Any:
        nonlocal done
        answer = await send(self, method, path, **fields)
        if method != "GET" and "/leases" not in path and "reviews" not in path:
            done += 1
            if done >= writes:
                os._exit(EXIT_KILLED)
        return answer

    Client.send = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    if limit := int(os.environ.get("DIE_AFTER_WRITES", "0")):
        die_after(limit)
    main()
