"""How many deliveries are taken: a Connection's own share, and one for all that are unknown."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

# A host that is busy sends some in a second, and redelivers many at once after an outage.
_PER_S, _AT_ONCE = 300.0, 600.0
# Connections that are remembered; a stranger's names share one place.
_REMEMBERED = 10_000


class Rate:
    """A bucket of tokens for each key."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def allows(self, key: tuple[str, str]) -> bool:
        """Take a token of a key's bucket; return whether there was one."""
        now = self._clock()
        left, when = self._left.get(key, (_AT_ONCE, now))
        left = min(_AT_ONCE, left + (now - when) * _PER_S)
        self._left[key] = (left - 1 if left >= 1 else left), now
        self._left.move_to_end(key)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return left >= 1
