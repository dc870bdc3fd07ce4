"""The Pod template of a custom action, with a closed schema.

A template reaches nothing that a Pipeline could not reach (P-80).

What is not named here cannot be written: no volume, no host's namespace, no privilege, no service
account, no further container.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from penstock.api.fields import DnsName, EnvironmentName
from penstock.api.model import ATOMIC, Model, list_map, rule, rules

Quantity = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", max_length=20),
]
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?"
        r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        max_length=317,
    ),
]
LabelValue = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$", max_length=63)
]
Identity = Annotated[int, Field(ge=0, le=2_147_483_647)]


class ActionVariable(Model):
    """A variable in the environment of every action of the type."""

    name: EnvironmentName
    value: Annotated[str, StringConstraints(max_length=2000)]


class Amounts(Model):
    """Amounts of a node's resources."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    ephemeral_storage: Annotated[Quantity | None, Field(alias="ephemeral-storage")] = None


def _fits(name: str) -> dict[str, str]:
    """Return the rule that a request is at most its limit."""
    asked, most = f"self.requests.{name}", f"self.limits.{name}"
    given = f"has(self.requests) && has({asked}) && has(self.limits) && has({most})"
    named = name.replace("__dash__", "-")
    return rule(
        f"!({given}) || quantity({asked}).compareTo(quantity({most})) <= 0",
        f"requests.{named} is more than limits.{named}",
    )


class Resources(Model):
    """What the action's container asks for, and what it may use at most."""

    model_config = {
        "json_schema_extra": rules(
            *(_fits(name) for name in ("cpu", "memory", "ephemeral__dash__storage"))
        )
    }

    requests: Amounts | None = None
    limits: Amounts | None = None


class Toleration(Model):
    """A taint of nodes that the pod tolerates."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.operator) || self.operator != 'Exists' || !has(self.value)",
                "Exists takes no value",
            ),
            rule(
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "without a key, say Exists",
            ),
            rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds are of the effect NoExecute",
            ),
        )
    }

    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None


class NodeSelectorRequirement(Model):
    """What a node's label must say."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > "
                "0)",
                "say values",
            ),
            rule(
                "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values)",
                "Exists takes no values",
            ),
        )
    }

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: (
        Annotated[tuple[LabelValue, ...], Field(max_length=20, json_schema_extra=ATOMIC)] | None
    ) = None


class NodeSelectorTerm(Model):
    """What a node's labels must say, all of it."""

    match_expressions: Annotated[
        tuple[NodeSelectorRequirement, ...],
        Field(min_length=1, max_length=10, json_schema_extra=ATOMIC),
    ]


class NodeSelector(Model):
    """Nodes that at least one term describes."""

    node_selector_terms: Annotated[
        tuple[NodeSelectorTerm, ...], Field(min_length=1, max_length=10, json_schema_extra=ATOMIC)
    ]


class PreferredNodes(Model):
    """Nodes that are preferred, by weight."""

    weight: Annotated[int, Field(ge=1, le=100)]
    preference: NodeSelectorTerm


class NodeAffinity(Model):
    """Nodes that the pod needs, and prefers."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNodes, ...], Field(max_length=10, json_schema_extra=ATOMIC)
    ] = ()


class Affinity(Model):
    """Where the pod runs; of pods beside it nothing can be said, as an action runs alone."""

    node_affinity: NodeAffinity | None = None


class PullSecret(Model):
    """A Secret of the Pipeline's namespace with which the image is pulled."""

    name: DnsName


_LABEL_KEYS = rules(
    rule(
        r"self.all(k, size(k) <= 317 && k.matches('^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?"
        r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$'))",
        "the keys are names of labels",
    )
)


class ActionTemplate(Model):
    """The container of an action, and where its pod runs."""

    image: Annotated[str, StringConstraints(pattern=r"^[^\s]+$", min_length=1, max_length=1000)]
    """Needs ``sh``, and what the commands call."""
    commands: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=25_600)], ...],
        Field(min_length=1, max_length=50, json_schema_extra=ATOMIC),
    ]
    """Commands that run one by one in one shell; the first that fails ends the action.

    They cannot use pipeline variables.
    """
    environment_variables: Annotated[
        tuple[ActionVariable, ...], Field(max_length=50, json_schema_extra=list_map("name"))
    ] = ()
    resources: Resources | None = None
    """Those of the ComputeType SMALL if absent."""
    node_selector: Annotated[
        dict[str, LabelValue], Field(max_length=20, json_schema_extra=_LABEL_KEYS)
    ] = {}
    tolerations: Annotated[
        tuple[Toleration, ...], Field(max_length=20, json_schema_extra=ATOMIC)
    ] = ()
    affinity: Affinity | None = None
    priority_class_name: DnsName | None = None
    image_pull_secrets: Annotated[
        tuple[PullSecret, ...], Field(max_length=10, json_schema_extra=list_map("name"))
    ] = ()
    run_as_user: Identity | None = None
    """Whom the image's program runs as; one that is not root gives up all capabilities, too."""
    run_as_group: Identity | None = None
