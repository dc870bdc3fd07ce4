"""Conditions as kstatus, Argo CD, Flux and ``kubectl wait`` read them."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from penstock.api.model import Model
from penstock.api.times import format_seconds


class ConditionType(StrEnum):
    """The condition types of our objects."""

    SUCCEEDED = "Succeeded"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    WARNINGS = "Warnings"
    CODEPIPELINE_COMPATIBLE = "CodePipelineCompatible"
    LAST_RUN_SUCCEEDED = "LastRunSucceeded"
    SOURCES_SEEN = "SourcesSeen"
    WEBHOOKS_READY = "WebhooksReady"
    REQUEST_REFUSED = "RequestRefused"
    APPROVED = "Approved"


class Condition(Model):
    """One condition, as metav1.Condition."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int | None = None


def merge(
    previous: tuple[Condition, ...], wanted: tuple[Condition, ...], now: datetime
) -> tuple[Condition, ...]:
    """Return ``wanted``, each unchanged condition with its previous transition time.

    A condition is unchanged if its status is.
    """
    before = {condition.type: condition for condition in previous}

    def dated(condition: Condition) -> Condition:
        old = before.get(condition.type)
        since = (
            old.last_transition_time
            if old and old.status == condition.status
            else format_seconds(now)
        )
        return condition.model_copy(update={"last_transition_time": since})

    return tuple(dated(condition) for condition in wanted)
