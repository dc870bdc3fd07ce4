"""What the fuzz programs share: how a good input becomes a hostile one."""

from __future__ import annotations

import random
from collections.abc import Sequence


def mutated(source: random.Random, data: bytes, words: Sequence[bytes] = ()) -> bytes:
    """Return the bytes with a few changes: flipped, cut, doubled, moved, or
    with a word of the format put in.
    """
    found = bytearray(data)
    for _ in range(source.randint(1, 6)):
        at, end = sorted(source.randint(0, len(found)) for _ in range(2))
        end = min(end, at + source.choice([1, 4, 64, 4096]))
        kind = source.randint(0, 5)
        if kind == 0 and found:
            found[at % len(found)] = source.choice([0, 0xFF, 0x7F, 0x80, source.randint(0, 255)])
        elif kind == 1:
            del found[at:end]
        elif kind == 2:
            found[at:at] = found[at:end] * source.choice([1, 2, 50])
        elif kind == 3 and words:
            found[at:at] = source.choice(words) * source.choice([1, 1, 1, 300])
        elif kind == 4:
            found[at:end] = bytes(source.randint(0, 255) for _ in range(end - at))
        else:
            found[at:end] = source.choice([b"0", b"9" * 30, b"-1", b"\xff" * 8, b"\0" * 8])
    return bytes(found)
