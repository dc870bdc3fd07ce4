"""Claims a try in the store before all else, so that no try ever runs twice (law: attempt claim).

The claim holds the pod's uid and a word of this process. The word tells our own request, repeated
after a broken connection, from a former agent container of the same pod: that one may have released
the action already, so its claim counts as foreign, too.
"""

import os

from penstock.api.contract.contracts import Attempt
from penstock.api.contract.keys import claim_key
from penstock.artifacts.store.store import Store


def claim(store: Store, attempt: Attempt, pod_uid: str) -> str | None:
    """Claim the try; return None if it is ours, else who has it."""
    own = f"{pod_uid} {os.urandom(8).hex()}\n".encode()
    held = store.claim(claim_key(attempt), own)
    if held == own:
        return None
    holder = held[:200].decode("utf-8", "replace").split(" ", 1)[0].strip()
    return "a former agent container of this pod" if holder == pod_uid else f"pod {holder}"
