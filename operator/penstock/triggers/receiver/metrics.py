"""The receiver's counters for Prometheus. Labels are few and bounded: no name that a user wrote."""

from prometheus_client import CollectorRegistry, Counter, generate_latest


class ReceiverMetrics:
    """A registry of its own, so that tests and processes do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "penstock_webhook_deliveries_total",
            "Deliveries of webhooks, by outcome.",
            ["outcome"],
            registry=self.registry,
        )

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes."""
        return generate_latest(self.registry)
