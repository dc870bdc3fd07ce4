"""With which inputs the properties of the unit tests are tried, and with how many."""

import os
from typing import Any

from hypothesis import settings

_USUAL = 100
"""Hypothesis's own number of examples, which ``steady`` keeps."""

# A deadline would be an assertion on the machine's speed: how much work is done is counted where it
# matters. The same inputs each time: a change is judged by what it did, not by luck. `make fuzz`
# looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.register_profile(
    "explore",
    # Said though it is the default: where CI is set, it is not.
    derandomize=False,
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES") or 500),
    print_blob=True,
    database=None,
)
settings.load_profile("steady")


def examples(usual: int, **others: Any) -> settings:
    """Return settings for a property that takes longer or is worth more: so
    many, where others take a hundred.
    """
    return settings(max_examples=max(1, usual * settings().max_examples // _USUAL), **others)
