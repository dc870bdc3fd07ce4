"""The stages that no run enters, with author and reason (X-71).

The Pipeline declares them, or StageTransitions do.

Either one disables. Where nothing disables, a StageTransition still tells who enabled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from penstock.api.kinds.pipeline import PipelineSpec
from penstock.api.kinds.transition import StageTransitionSpec
from penstock.api.text import one_line
from penstock.api.walks import no_such_stage, stage_names
from penstock.engine.definition.findings import Findings, Problem
from penstock.engine.objects.transitions import TransitionObject


@dataclass(frozen=True, slots=True)
class InboundTransition:
    """The transition into a stage: enabled or not, and who changed it and why, if known."""

    is_enabled: bool
    reason: str | None = None
    by: str | None = None


def inbound_transitions(
    spec: PipelineSpec | None, objects: Iterable[TransitionObject]
) -> dict[str, InboundTransition]:
    """Return stage to switch, for each stage that anything is said of."""
    if spec is None:
        return {}
    said: dict[str, list[InboundTransition]] = {}
    for declared in spec.disable_inbound_stage_transitions:
        said.setdefault(declared.stage_name, []).append(InboundTransition(False, declared.reason))
    for item in objects:
        if item.spec and (stage := _stage_of(item.spec, spec)):
            wanted = item.spec
            reason = None if wanted.enabled else one_line(wanted.reason)
            said.setdefault(stage, []).append(
                InboundTransition(wanted.enabled, reason, one_line(wanted.requested_by))
            )
    return {stage: _joined(found) for stage, found in said.items()}


def disabled_stages(transitions: Mapping[str, InboundTransition]) -> dict[str, str]:
    """Return the stages that no run enters, each with the reason and by whom, as people read it."""
    return {
        stage: f"{transition.reason} (by {transition.by})"
        if transition.by
        else transition.reason or ""
        for stage, transition in transitions.items()
        if not transition.is_enabled
    }


def with_transitions(
    findings: Findings, spec: PipelineSpec | None, objects: Iterable[TransitionObject]
) -> Findings:
    """Return the findings, with a warning for each StageTransition that switches nothing.

    They are findings about a definition.
    """
    if spec is None:
        return findings
    warnings = [problem for item in objects if (problem := _problem_with(item, spec))]
    return replace(findings, warnings=(*findings.warnings, *warnings)) if warnings else findings


def _problem_with(item: TransitionObject, spec: PipelineSpec) -> Problem | None:
    where = f"StageTransition {item.name}"
    if item.spec is None:
        return Problem(where, item.unreadable)
    if what := no_such_stage(item.spec.stage_name, spec):
        return Problem(f"{where}: spec.stageName", f"StageNotFound: {what}")
    if _stage_of(item.spec, spec) is None:
        return Problem(
            f"{where}: spec.transitionType", "nothing comes after the last stage: name another"
        )
    return None


def _stage_of(wanted: StageTransitionSpec, spec: PipelineSpec) -> str | None:
    """Return the stage in front of which a switch stands: out of a stage is into the next."""
    names = stage_names(spec)
    if wanted.stage_name not in names:
        return None
    index = names.index(wanted.stage_name) + (wanted.transition_type == "Outbound")
    return names[index] if index < len(names) else None


def _joined(found: list[InboundTransition]) -> InboundTransition:
    disabling = [transition for transition in found if not transition.is_enabled]
    if not disabling:
        # The Pipeline only disables, so all of these are StageTransitions, and tell who enabled.
        return found[0]
    reason = "; ".join(transition.reason for transition in disabling if transition.reason)
    return InboundTransition(
        False, reason, next((transition.by for transition in disabling if transition.by), None)
    )
