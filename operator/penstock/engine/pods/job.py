"""Builds the Job of one try.

Agent and action start together, without an init container; nothing a user wrote stands in a
command, an argument or an environment variable, since the kubelet rewrites ``$(X)`` there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.api import meta
from penstock.api.contract import contracts
from penstock.api.contract.wrapper import WRAPPER
from penstock.api.names import job_name
from penstock.engine.definition.frozen import spec_hash
from penstock.engine.pods.access import STORE_SECRET, secret_names
from penstock.engine.pods.context import TryContext
from penstock.engine.pods.metadata import annotations_of, labels_of, owner_of
from penstock.engine.pods.template import container_of, placement_of
from penstock.engine.settings import Settings

# "nobody" of distroless images, which the agent's image has, too.
_USER = 65532
_POD_DIR = "/penstock/pod"
_TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class JobInputs:
    """What a Job is made of: the subject, its request, and when the try was started."""

    context: TryContext
    request: contracts.ActionRequest
    started: datetime


def build_job(inputs: JobInputs, settings: Settings) -> dict[str, Any]:
    """Return the Job's manifest; the same order always gives the same manifest."""
    attempt = inputs.context.attempt
    name = job_name(attempt.run_uid, attempt.stage, attempt.action, attempt.attempt, attempt.try_)
    annotations = _pod_annotations(inputs, settings)
    spec = {
        # Kubernetes must not run commands a second time: the provider decides about further tries.
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        # The last resort, for a time without an operator: agent and operator end a try earlier, and
        # with better words.
        "activeDeadlineSeconds": int(
            settings.start_s + inputs.request.limits.timeout_s + settings.backstop_s
        )
        + 60,
        "template": {
            "metadata": {"labels": labels_of(attempt), "annotations": annotations},
            "spec": _pod_spec(inputs, settings),
        },
    }
    digest = spec_hash(spec)
    # The template cannot be changed by anybody, unlike the Job's own annotations.
    annotations[meta.ANNOTATION_SPEC_HASH] = digest
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": attempt.namespace,
            "labels": labels_of(attempt),
            "annotations": {**annotations_of(attempt), meta.ANNOTATION_SPEC_HASH: digest},
            "ownerReferences": [owner_of(attempt)],
        },
        "spec": spec,
    }


def _pod_annotations(inputs: JobInputs, settings: Settings) -> dict[str, str]:
    # By then the operator has given the pod up: an agent that starts later does nothing.
    start_by = inputs.started + timedelta(seconds=settings.start_s + 30)
    return {
        **annotations_of(inputs.context.attempt),
        contracts.REQUEST_ANNOTATION: inputs.request.encode(),
        contracts.NOT_AFTER_ANNOTATION: str(int(start_by.timestamp())),
        "kubectl.kubernetes.io/default-container": contracts.AGENT_CONTAINER,
        # The webhook of EKS would give the pod's identity on AWS to the user's container, too.
        "eks.amazonaws.com/skip-containers": contracts.ACTION_CONTAINER,
        "sidecar.istio.io/inject": "false",
        "linkerd.io/inject": "disabled",
    }


def _pod_spec(inputs: JobInputs, settings: Settings) -> dict[str, Any]:
    containers = [_agent(inputs, settings)]
    if inputs.context.declared.has_container:
        containers.append(_action(inputs, settings))
    account = inputs.context.definition.service_account_name
    return {
        "restartPolicy": "Never",
        # The token is mounted into the agent alone, as a volume of its own.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "shareProcessNamespace": False,
        # The agent stops the commands and then reports, and the kubelet must not kill it meanwhile.
        "terminationGracePeriodSeconds": int(
            inputs.request.limits.grace_s + inputs.request.limits.kill_s
        )
        + 5,
        **({"serviceAccountName": account} if account else {}),
        **placement_of(inputs.context.declared.action_type),
        "securityContext": {"fsGroup": _USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": containers,
        "volumes": _volumes(inputs, settings),
    }


def _agent(inputs: JobInputs, settings: Settings) -> dict[str, Any]:
    mounts = [
        {"name": "workspace", "mountPath": contracts.WORKSPACE_DIR},
        {"name": "control", "mountPath": contracts.CONTROL_DIR},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a path in the container
        {"name": "pod", "mountPath": _POD_DIR, "readOnly": True},
        {"name": "token", "mountPath": _TOKEN_DIR, "readOnly": True},
    ]
    mounts += [_secret_mount(volume, folder) for volume, folder, _ in _secrets(inputs)]
    if inputs.request.store.folder:
        mounts.append({"name": "store", "mountPath": inputs.request.store.folder})
    return {
        "name": contracts.AGENT_CONTAINER,
        "image": settings.agent_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["penstock-agent"],
        "env": [
            {"name": "PENSTOCK_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        ],
        "resources": dict(settings.agent_resources),
        "securityContext": {
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def _action(inputs: JobInputs, settings: Settings) -> dict[str, Any]:
    configuration, build = inputs.request.configuration, inputs.request.build
    custom = inputs.context.declared.action_type
    project = inputs.context.projects.get(build.project) if build else None
    compute = (project.compute_type if project else configuration.get("ComputeType")) or "SMALL"
    mounts = [
        {"name": "workspace", "mountPath": contracts.WORKSPACE_DIR},
        {"name": "control", "mountPath": contracts.CONTROL_DIR, "readOnly": True},
    ]
    container = {
        "name": contracts.ACTION_CONTAINER,
        "image": (build.image if build else configuration.get("Image")) or settings.commands_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["sh", "-c", WRAPPER],
        "resources": dict(settings.compute_types.get(compute, {})),
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": mounts,
    }
    if custom:
        # Its program is what works with them; the agent has them, too, to mask them. The store's
        # stay the agent's.
        mounts += [
            _secret_mount(volume, folder)
            for volume, folder, _ in _secrets(inputs)
            if folder != STORE_SECRET
        ]
        # Last, as the template has an image and resources of its own.
        container |= container_of(custom)
    return container


def _secret_mount(volume: str, folder: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": f"{contracts.SECRETS_DIR}/{folder}", "readOnly": True}


def _secrets(inputs: JobInputs) -> list[tuple[str, str, str]]:
    """Return volume name, folder and Secret for everything secret that the agent needs."""
    names = secret_names(inputs.context, inputs.request.configuration)
    wanted = [
        (f"secret-{index}", key, secret)
        for index, (key, secret) in enumerate(sorted(names.items()))
    ]
    store = inputs.context.definition.artifact_store
    if store and store.credentials:
        wanted.append(("secret-store", STORE_SECRET, store.credentials.secret_name))
    return wanted


def _volumes(inputs: JobInputs, settings: Settings) -> list[dict[str, Any]]:
    annotations = (
        (contracts.REQUEST_ANNOTATION, "request"),
        (contracts.NOT_AFTER_ANNOTATION, "not-after"),
    )
    token = [
        # Kubernetes itself asks for this time wherever it mounts a token.
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    return [
        {"name": "workspace", "emptyDir": {"sizeLimit": settings.workspace_size}},
        {"name": "control", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": settings.workspace_size}},
        {
            "name": "pod",
            "downwardAPI": {
                "items": [
                    {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{name}']"}}
                    for name, path in annotations
                ]
            },
        },
        {"name": "token", "projected": {"sources": token}},
        # Optional: without it the agent says at once which Secret is missing; a pod would only hang
        # on the mount.
        *(
            {"name": volume, "secret": {"secretName": secret, "optional": True}}
            for volume, _, secret in _secrets(inputs)
        ),
        *_store_volume(inputs.request.store),
    ]


def _store_volume(store: contracts.StoreLocation) -> list[dict[str, Any]]:
    """Return the volume of a store that is one; only the agent mounts it."""
    return (
        [{"name": "store", "persistentVolumeClaim": {"claimName": store.bucket}}]
        if store.folder
        else []
    )
