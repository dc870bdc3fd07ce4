"""The operator's metrics for Prometheus.

Labels are few and bounded: no pipeline names and no run names.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class OperatorMetrics:
    """A registry of its own, so that tests and processes do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = Counter(
            "penstock_reconcile_total",
            "Passes over a pipeline, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "penstock_reconcile_seconds",
            "Seconds that a pass took.",
            registry=self.registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
        )
        self.waiting = Gauge(
            "penstock_queue_length", "Pipelines that wait for a pass.", registry=self.registry
        )
        self.is_leader = Gauge(
            "penstock_leader", "1 on the replica that acts.", registry=self.registry
        )
        self.resyncs = Counter(
            "penstock_resync_total", "Comparisons of the cache with a LIST.", registry=self.registry
        )

    def count_pass(self, outcome: str) -> None:
        """Count a pass."""
        self.passes.labels(outcome).inc()

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes."""
        return generate_latest(self.registry)
