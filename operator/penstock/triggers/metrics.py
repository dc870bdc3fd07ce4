"""Triggers' counters for Prometheus. Labels are few and bounded: no pipeline, host or run names."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class TriggerMetrics:
    """A registry of its own, so that tests and processes do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.looks = Counter(
            "penstock_source_polls_total",
            "Looks at a source, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.started = Counter(
            "penstock_triggered_runs_total",
            "Runs started, by trigger type.",
            ["trigger"],
            registry=self.registry,
        )
        self.errors = Counter(
            "penstock_trigger_errors_total", "Passes that failed.", registry=self.registry
        )
        self.is_leader = Gauge(
            "penstock_leader", "1 on the replica that acts.", registry=self.registry
        )

    def count_pass(self, outcome: str) -> None:
        """Count a pass that failed; a Pipeline that changed meanwhile is none."""
        if outcome in ("error", "bug"):
            self.errors.inc()

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes."""
        return generate_latest(self.registry)
