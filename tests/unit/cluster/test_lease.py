"""Times of a lease that cannot be safe are refused before anything acts; the rest is
integration/test_lease.py.
"""

import pytest

from penstock.cluster.lease import LeaseSettings


@pytest.mark.parametrize(
    ("duration", "renew", "write"),
    [(15, 3, 6), (5, 3, 5), (15, 15, 5), (15, 0, 5), (15, 3, 0), (13, 3, 5), (-1, -9, 1)],
)
def test_weak_times_that_cannot_be_safe_are_refused(
    duration: float, renew: float, write: float
) -> None:
    refusal = r"durationSeconds is .* and must be more than renewSeconds"
    with pytest.raises(ValueError, match=refusal):
        LeaseSettings("ns", "name", "me", duration, renew, write)


def test_times_of_the_chart_are_safe() -> None:
    assert LeaseSettings("ns", "name", "me").duration_s == 15
