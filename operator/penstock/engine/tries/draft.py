"""The one value that a pass over a run changes: its status so far, and the effects of that."""

from dataclasses import dataclass, field

from penstock.actions.declaration import Declaration
from penstock.api.contract.contracts import Attempt
from penstock.api.kinds.pipeline import Action, Stage
from penstock.api.kinds.run import PipelineRunStatus
from penstock.api.kinds.stop import StopRequest
from penstock.api.status.executions import ActionExecution
from penstock.api.times import parse_time
from penstock.engine.definition.frozen import Definition
from penstock.engine.language.variables import Values
from penstock.engine.pods.context import TryContext, ref_of, revisions_of
from penstock.engine.pods.request import values_of
from penstock.engine.snapshot import RunObject
from penstock.engine.tries.effects import Effects
from penstock.engine.tries.facts import Facts


@dataclass(frozen=True, slots=True)
class Try:
    """One execution of one action, with everything needed to judge or to start it."""

    stage: Stage
    action: Action
    declared: Declaration
    execution: ActionExecution


@dataclass(slots=True)
class RunDraft:
    """A run in one pass.

    ``run`` is as the pass found it; ``status`` and ``effects`` are as far as the pass has come.
    """

    run: RunObject
    definition: Definition
    facts: Facts
    status: PipelineRunStatus
    effects: Effects = field(default_factory=Effects)

    @property
    def stop(self) -> StopRequest | None:
        """The stop that is asked of the run, if any."""
        return self.run.stop_under(self.status)

    def values(self) -> Values:
        """Return what variable references mean by now."""
        return values_of(self.run.uid, self.definition, self.status)

    def context_of(self, item: Try) -> TryContext:
        """Return everything that the request of a try is made of."""
        attempt = Attempt(
            namespace=self.run.namespace,
            pipeline=self.facts.pipeline,
            pipeline_uid=self.status.pipeline_uid or "",
            run=self.run.name,
            run_uid=self.run.uid,
            stage=item.stage.name,
            action=item.action.name,
            attempt=item.execution.attempt,
            try_=item.execution.try_,
        )
        pinned = revisions_of(self.run.spec, item.action, item.declared)
        projects = self.facts.freezer.projects_of(item.execution)
        return TryContext(
            attempt,
            item.action,
            item.declared,
            self.definition,
            # The try's own start, not this pass's: a Job that is created again must be the same
            # Job.
            parse_time(item.execution.start_time) or self.facts.now,
            revision=pinned.pop("", None),
            ref=ref_of(self.run.spec, item.action),
            overrides=pinned,
            projects=projects,
            connection=self.facts.freezer.connection_of(item.execution),
            source_revisions={
                item.name: item.revision_id for item in self.status.artifact_revisions
            },
        )
