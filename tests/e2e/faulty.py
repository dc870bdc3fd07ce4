"""The real operator with faults, named by environment variables; no fault
code ships with the product.

- DIE_AFTER_WRITES=n: after its nth write the process ends as by SIGKILL,
  between two effects. The one place that sends (`Client.send`) is wrapped;
  writes of the Lease do not count, as they are no effects.
- CONFLICT_EVERY=n: before every nth write of a run's status somebody else writes it, so that the
  API server itself answers 409.
- DROP_EVENTS=Job,Pod: the watch of these kinds delivers nothing, as in a gap.
"""

from __future__ import annotations

import os
from typing import Any

from penstock.cluster.client import Client
from penstock.cluster.resources import Resource
from penstock.controller.operator import Operator
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


def conflict_every(nth: int) -> None:
    """Let somebody else write a run's status right before every nth write of ours."""
    send = Client.send
    seen = 0

    async def preempted(self: Client, method: str, path: str, **fields: Any) -> Any:
        nonlocal seen
        if method == "PATCH" and path.endswith("/status") and "/pipelineruns/" in path:
            seen += 1
            if seen % nth == 0:
                await send(
                    self, method, path, body={"status": {"statusSummary": f"preempted {seen}"}}
                )
        return await send(self, method, path, **fields)

    Client.send = preempted  # type: ignore[method-assign]


def drop_events(kinds: set[str]) -> None:
    """Let the watch of some kinds deliver nothing."""
    handle_event = Operator.handle_event

    def deaf(
        self: Operator, resource: Resource, event_type: str | None, document: dict[str, Any]
    ) -> None:
        if resource.kind not in kinds:
            handle_event(self, resource, event_type, document)

    Operator.handle_event = deaf  # type: ignore[method-assign]


if __name__ == "__main__":
    if nth := int(os.environ.get("CONFLICT_EVERY", "0")):
        conflict_every(nth)
    if kinds := os.environ.get("DROP_EVENTS", ""):
        drop_events(set(kinds.split(",")))
    if limit := int(os.environ.get("DIE_AFTER_WRITES", "0")):
        die_after(limit)
    main()
