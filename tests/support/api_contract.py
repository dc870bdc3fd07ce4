"""What the controller relies on at an API server: the fake and the real one show the same.

Each behaviour is a function that takes a client and an empty namespace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction

from penstock.cluster.client import Client
from tests.support.contract import creation, deletions, lists, patches

Behaviour = Callable[[Client, str], Awaitable[None]]

BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    found
    for module in (creation, patches, deletions, lists)
    for found in vars(module).values()
    if iscoroutinefunction(found) and found.__module__ == module.__name__
)
