"""Checks what a stage declares beside its actions: what happens when it fails (C-02, X-65)."""

from collections.abc import Iterator

from penstock.api.pipeline import ExecutionMode, PipelineSpec, Stage
from penstock.engine.findings import UNSUPPORTED, Problem


def stage_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield what is wrong with the stages' conditions and results."""
    for number, stage in enumerate(spec.stages):
        yield from _on_failure(f"spec.stages[{number}].onFailure", stage, spec.mode)


def _rollback(path: str, stage: Stage, mode: ExecutionMode) -> Iterator[Problem]:
    if mode is ExecutionMode.PARALLEL:
        yield Problem(f"{path}.result", "a pipeline of mode PARALLEL has no ROLLBACK (X-39)")
    if any(action.action_type_id.category == "Source" for action in stage.actions):
        yield Problem(f"{path}.result", "a stage with Source actions cannot be rolled back (X-68)")


def _on_failure(path: str, stage: Stage, mode: ExecutionMode) -> Iterator[Problem]:
    failure = stage.on_failure
    if failure is None:
        return
    if failure.conditions and failure.result == "RETRY":
        yield Problem(f"{path}.result", "RETRY and conditions exclude each other (X-65)")
    elif failure.conditions:
        yield Problem(f"{path}.conditions", "this version of Penstock does not act on it; remove it", UNSUPPORTED)
    elif failure.result is None:
        yield Problem(f"{path}.result", "say what happens when the stage fails: RETRY or ROLLBACK")
    elif failure.result == "ROLLBACK":
        yield from _rollback(path, stage, mode)
    elif failure.result != "RETRY":
        yield Problem(f"{path}.result", f"{failure.result} is not allowed here; RETRY and ROLLBACK are (C-02)")
    if failure.retry_configuration and failure.result != "RETRY":
        yield Problem(f"{path}.retryConfiguration", "it belongs to the result RETRY; remove it")


def stage_incompatibilities(spec: PipelineSpec) -> Iterator[Problem]:
    """Yield what of it AWS would not accept."""
    for number, stage in enumerate(spec.stages):
        wanted = stage.on_failure.retry_configuration if stage.on_failure else None
        path = f"spec.stages[{number}].onFailure.retryConfiguration"
        if wanted and (wanted.max_attempts or 1) > 1:
            yield Problem(f"{path}.maxAttempts", "AWS retries a stage once (X-65)")
        if wanted and wanted.backoff_seconds:
            yield Problem(f"{path}.backoffSeconds", "AWS retries a stage at once (X-65)")
