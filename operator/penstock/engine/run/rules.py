"""The rules of stage conditions (C-20..C-25): some are decided here, some run as Jobs.

A rule that runs as a Job is an action of its own, under a name that no action can have:
`beforeEntry/NAME`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.api.kinds.stage_conditions import Rule
from penstock.api.status.condition_states import ConditionStatus
from penstock.api.text import shorten
from penstock.api.times import format_seconds
from penstock.engine.definition.rules import DEPLOYMENT_WINDOW, OPERATORS, VARIABLE_CHECK
from penstock.engine.language.cron import CronError, window_of
from penstock.engine.language.patterns import PatternError, matches
from penstock.engine.language.variables import UnresolvedError, Values, resolve

# How long a DeploymentWindow is waited for, unless the rule says otherwise.
_WINDOW_TIMEOUT_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What became of a rule; ``look_again`` where it waits for a time."""

    status: ConditionStatus
    summary: str
    code: str = ""
    look_again: datetime | None = None


def decide(rule: Rule, values: Values, begun: datetime, now: datetime) -> RuleOutcome:
    """Return the outcome of a rule without a Job; ``begun`` is when its condition was reached."""
    try:
        configuration = {key: resolve(text, values) for key, text in rule.configuration.items()}
        if rule.rule_type_id.provider == VARIABLE_CHECK:
            return _variable_check(rule, configuration)
        if rule.rule_type_id.provider == DEPLOYMENT_WINDOW:
            return _deployment_window(rule, configuration, begun, now)
    except (UnresolvedError, CronError, PatternError) as error:
        return RuleOutcome(ConditionStatus.ERRORED, str(error), "ConfigurationError")
    return RuleOutcome(
        ConditionStatus.ERRORED, f"unknown rule: {rule.rule_type_id.provider}", "ConfigurationError"
    )


def _variable_check(rule: Rule, configuration: dict[str, str]) -> RuleOutcome:
    """C-23: a comparison of texts."""
    found, wanted = configuration.get("Variable", ""), configuration.get("Value", "")
    operator = configuration.get("Operator", "")
    # As functions, since an expression of MATCHES can fail, and is looked at only where it is used.
    holds = {
        "EQ": lambda: found == wanted,
        "NE": lambda: found != wanted,
        "CONTAINS": lambda: wanted in found,
        "MATCHES": lambda: matches(wanted, found),
    }
    if operator not in holds:
        what = f"Operator is {operator or 'missing'}; it is one of {', '.join(OPERATORS)}"
        return RuleOutcome(ConditionStatus.ERRORED, what, "ConfigurationError")
    raw = rule.configuration.get("Variable", "")
    summary = shorten(f"{raw} {operator} {wanted}: it is {found}", 500)
    if holds[operator]():
        return RuleOutcome(ConditionStatus.SUCCEEDED, summary)
    return RuleOutcome(ConditionStatus.FAILED, summary, "RuleFailed")


def _deployment_window(
    rule: Rule, configuration: dict[str, str], begun: datetime, now: datetime
) -> RuleOutcome:
    """C-21: succeeds once the window is open, at the latest when the rule's time is over."""
    window = window_of(configuration.get("Cron", ""), configuration.get("TimeZone", ""))
    if window.is_open(now):
        return RuleOutcome(ConditionStatus.SUCCEEDED, "the window is open")
    limit = begun + timedelta(minutes=rule.timeout_in_minutes or _WINDOW_TIMEOUT_MINUTES)
    if now >= limit:
        return RuleOutcome(
            ConditionStatus.FAILED,
            f"the window did not open until {format_seconds(limit)}",
            "TimedOut",
        )
    opens = window.opens(now, limit)
    when = (
        f"opens at {format_seconds(opens)}"
        if opens
        else f"does not open until {format_seconds(limit)}, the limit"
    )
    return RuleOutcome(ConditionStatus.IN_PROGRESS, f"the window {when}", look_again=opens or limit)
