"""The Pod part of an ActionType's template; only fields of its closed schema come through."""

from typing import Any

from penstock.api.kinds.action_type import ActionTypeSpec


def placement_of(spec: ActionTypeSpec | None) -> dict[str, Any]:
    """Return the fields of the pod that say where it runs, and how its image is pulled."""
    if spec is None:
        return {}
    template = spec.template
    found: dict[str, Any] = {
        "nodeSelector": dict(template.node_selector),
        "tolerations": [item.to_dict() for item in template.tolerations],
        "affinity": template.affinity.to_dict() if template.affinity else {},
        "priorityClassName": template.priority_class_name,
        "imagePullSecrets": [item.to_dict() for item in template.image_pull_secrets],
    }
    return {key: value for key, value in found.items() if value}


def container_of(spec: ActionTypeSpec) -> dict[str, Any]:
    """Return the fields of the action's container that the template sets."""
    template = spec.template
    security: dict[str, Any] = {"allowPrivilegeEscalation": False}
    if template.run_as_user is not None:
        security["runAsUser"] = template.run_as_user
    if template.run_as_group is not None:
        security["runAsGroup"] = template.run_as_group
    if template.run_as_user:
        # So that it runs where only pods of the level `restricted` may.
        security |= {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}}
    found: dict[str, Any] = {"image": template.image, "securityContext": security}
    return found | ({"resources": template.resources.to_dict()} if template.resources else {})
