"""Times as Kubernetes' objects have them: the one place that reads and writes them."""

from datetime import UTC, datetime


def parse_time(text: str | None) -> datetime | None:
    """Return the time that a Kubernetes timestamp says, None for none."""
    return datetime.fromisoformat(text) if text else None


def format_time(moment: datetime) -> str:
    """Return a timestamp with milliseconds: a run is often over within a second."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_seconds(moment: datetime) -> str:
    """Return a timestamp in whole seconds, as metav1.Time writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
