"""The StageTransition object: a switch in front of a stage (X-71..X-74).

It adds to the transitions that the Pipeline declares.
"""

from typing import Annotated, Literal

from pydantic import StringConstraints

from penstock.api.fields import CodePipelineName, DnsName
from penstock.api.model import Model, rule, rules


def _fixed(field: str) -> dict[str, str]:
    return rule(
        f"self.{field} == oldSelf.{field}",
        "cannot be changed: write another object",
        field_path=f".{field}",
    )


_REASON = rule(
    "self.enabled || has(self.reason)", "a disabled transition needs a reason", field_path=".reason"
)


class StageTransitionSpec(Model):
    """Whether runs may enter a stage (Inbound), or the one after it (Outbound).

    A StageTransition that is deleted has no effect.
    """

    model_config = {
        "json_schema_extra": rules(_fixed("pipelineName"), _fixed("stageName"), _REASON)
    }

    pipeline_name: DnsName
    stage_name: CodePipelineName
    transition_type: Literal["Inbound", "Outbound"] | None = None
    """Inbound if absent."""
    enabled: bool
    """If false, no run enters.

    A transition that the Pipeline declares as disabled stays disabled, whatever this says.
    """
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    requested_by: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Who changed it last: the writer's own name, or absent."""
