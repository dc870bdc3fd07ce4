"""The StageTransition object: a switch in front of a stage, beside what the
Pipeline declares (X-71..X-74).
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
    """Whether runs may enter a stage (Inbound), or the one after it
    (Outbound); deleted, it says nothing.
    """

    model_config = {
        "json_schema_extra": rules(_fixed("pipelineName"), _fixed("stageName"), _REASON)
    }

    pipeline_name: DnsName
    stage_name: CodePipelineName
    transition_type: Literal["Inbound", "Outbound"] | None = None
    """Inbound if absent."""
    enabled: bool
    """False: no run enters. What the Pipeline declares as disabled stays so,
    whatever stands here.
    """
    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    requested_by: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Who changed it last: the writer's own name, or absent."""
