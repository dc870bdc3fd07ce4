"""Users' regular expressions against Python's own matcher, on what both read
alike; and any text at all.
"""

import re
import signal
from pathlib import Path
from random import Random

from penstock.engine.language.patterns import PatternError, matches
from tests.fuzz.finding import Finding

BATCH = 500
_ATOMS = ["a", "b", "1", "_", ".", "[ab]", "[^a]", "[a-c1]", "\\d", "\\w", "\\S", "\\s", "\\.",
    "\\D", "\\W", "[\\d_]",
          "[^\\s]", "\\x61", "-", "é", "[é-ü]", "\\-", "[.a]", "[\\]a]"]  # fmt: skip
_REPEATS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,1}", "*?", "+?", "??", "{2,}"]
_ODD = "ab\\[](){}*+?|^$.,-&0123456789dwsQEpPuxkz:<>!=i\n é"


def expression(random: Random, depth: int = 0) -> str:
    """Return an expression of what Java, Python and RE2 read alike."""
    pieces = []
    # Python's matcher, the oracle, takes time without bound where repetitions are nested: within
    # groups they are few.
    repeats = _REPEATS if depth == 0 else ["", "", "?", "+"]
    for _ in range(random.choice([0, 1, 1, 2, 3] if depth == 0 else [0, 1, 1, 2])):
        atom = random.choice(_ATOMS)
        if depth < 2 and random.random() < 0.3:
            atom = random.choice(["({})", "(?:{})", "({}|a)", "(|{})"]).format(
                expression(random, depth + 1)
            )
        pieces.append(atom + random.choice(repeats))
    return "".join(pieces)


class _NoAnswer(Exception):
    """Python's matcher backtracks for ever: that is why it is not the operator's."""


def by_python(pattern: str, text: str) -> bool | None:
    """Return whether Python's matcher takes the whole text; None where it has
    no answer within a second.
    """

    def give_up(*_: object) -> None:
        raise _NoAnswer

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1.0)
    try:
        return re.fullmatch(pattern, text, re.ASCII) is not None
    except _NoAnswer:
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def batch(random: Random, folder: Path) -> int:
    """Compare, and try texts that are no expressions."""
    for _ in range(BATCH // 2):
        pattern, text = (
            expression(random),
            "".join(random.choices("ab1_.-\n é]", k=random.randrange(7))),
        )
        wanted = by_python(pattern, text)
        if wanted is not None and matches(pattern, text) != wanted:
            raise Finding(f"{pattern!r} and {text!r}: wanted {wanted}")
        odd = "".join(random.choices(_ODD, k=random.randrange(30)))
        try:
            matches(odd, text)
        except PatternError:
            continue
        except Exception as error:
            raise Finding(f"{odd!r} and {text!r}: {error!r}") from error
    return BATCH
