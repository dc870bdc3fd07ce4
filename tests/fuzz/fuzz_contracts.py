"""What a hostile image writes as its result, and what stands in an
annotation: read, or refused by one error.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

from penstock.api.contract.contracts import ActionRequest, ActionResult, ContractError
from tests.fuzz.finding import Finding

BATCH = 500
_KEYS = ("version", "status", "podUid", "code", "message", "exitCode", "outputs", "variables",
    "revision", "reports",
         "log",          "name", "key", "size", "sha256", "format", "x")  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    -1,
    1.5,
    1e400,
    10**30,
    "",
    "Succeeded",
    "Failed",
    "Lost",
    "\ud800",
    "x" * 5_000,
)


def value(random: Random, depth: int = 0) -> Any:
    """Return any JSON value."""
    kind = random.randrange(4) if depth < 4 else 0
    if kind == 1:
        return [value(random, depth + 1) for _ in range(random.randrange(3))]
    if kind == 2:
        return {random.choice(_KEYS): value(random, depth + 1) for _ in range(random.randrange(5))}
    return random.choice(_VALUES)


def text(random: Random) -> str:
    """Return a text that may be a result: JSON, cut or not, compressed, or nothing of the kind."""
    made = {
        "version": random.choice([1, 1, 1, 2, "1"]),
        **{random.choice(_KEYS): value(random) for _ in range(6)},
    }
    found = json.dumps(made)
    return random.choice(
        [
            found,
            found[: random.randrange(len(found))],
            f"z:{found}",
            "z:eJw=",
            "[" * 2_000,
            found * 2,
        ]
    )


def batch(random: Random, folder: Path) -> int:
    """Read many texts; anything but the declared error is a finding."""
    for _ in range(BATCH):
        hostile = text(random)
        for contract in (ActionResult, ActionRequest):
            try:
                contract.decode(hostile)
            except ContractError:
                continue
            except Exception as error:
                raise Finding(
                    f"{contract.__name__}: {type(error).__name__}: {error}: {hostile[:300]!r}"
                ) from error
    return BATCH
