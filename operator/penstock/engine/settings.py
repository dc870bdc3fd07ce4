"""Every limit that a decision depends on; the chart's values set them, tests set them short."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.api.contract.contracts import Limits


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits in seconds unless their name says otherwise; images as the chart names them."""

    agent_image: str = "penstock:dev"
    commands_image: str = "docker.io/library/debian:12-slim"
    build_images: Mapping[str, str] = field(default_factory=dict)
    """A BuildProject's image to the one that runs in its place.

    An example is ``aws/codebuild/standard:7.0``.
    """
    aws_region: str = ""
    """The region of AWS calls, unless an action names one.

    If it is empty, boto3 finds one in its own ways.
    """
    aws_endpoint: str = ""
    """The server of AWS calls, unless an action says otherwise; AWS's own if empty."""
    image_pull_policy: str = "IfNotPresent"
    image_pull_s: float = 180.0
    """How long an image may fail to be pulled before the action fails."""
    container_config_s: float = 30.0
    """How long a container's configuration may be refused before the action fails.

    An example is a missing Secret.
    """
    no_pod_s: float = 60.0
    """How long a Job may have no pod."""
    start_s: float = 600.0
    """How long an action may wait for its containers to start, queueing in the cluster included."""
    refused_again_s: float = 5.0
    """How long after a refusal of the API server that may not last an object is created again."""
    unwatched_s: float = 2.0
    """How often a Job or pod is read that lost the label by which it is watched."""
    status_bytes: int = 900_000
    """The most that a run's status may hold as JSON.

    etcd takes objects of 1.5 MiB, field managers included.
    """
    container_end_s: float = 10.0
    """How long one container may run on after the other has ended."""
    backstop_s: float = 60.0
    """What the Job's own deadline allows beyond all others."""
    pipeline_missing_s: float = 60.0
    """How long a run waits for a Pipeline that does not exist yet."""
    action_timeout_s: float = 86_400 * 60.0
    """How long any action may run, whatever it or its provider says (N-14: 86,400 minutes)."""
    running_record_s: float = 10.0
    """A try that runs longer than this has its pod written into the status."""
    pipeline_status_s: float = 2.0
    """The least time between two writes of a Pipeline's status in the middle of runs."""
    concurrent_executions: int = 50
    """How many PARALLEL runs of a pipeline may be under way (Q-05), unless it says otherwise."""
    lost_tries: int = 3
    """How many tries an attempt may need for lost pods."""
    configuration_bytes: int = 100 * 1024
    """The most a resolved configuration may hold (Q-12)."""
    successful_runs: int = 10
    """How many succeeded runs of a pipeline are kept, unless it says otherwise."""
    failed_runs: int = 10
    """How many runs of a pipeline that did not succeed are kept, unless it says otherwise."""
    kept_revisions: int = 10
    """How many definitions of a pipeline are kept beside those that runs name."""
    runs_with_jobs: int = 5
    """How many ended runs of a pipeline keep their Jobs, for kubectl logs.

    For a while it may be up to twice as many.
    """
    workspace_size: str = "10Gi"
    """The most that an action's workspace may hold; a pod that grows beyond it is evicted."""
    agent_resources: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {"requests": {"cpu": "10m", "memory": "64Mi"}}
    )
    """Resources of the agent beside every action: requests 10m cpu, 64Mi memory; no limits."""
    compute_types: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    """ComputeType (SMALL, MEDIUM, LARGE) to the resources of the action container."""
    limits: Limits = field(default_factory=Limits)
    """Bounds that the agent keeps inside the pod; its timeout_s is set for each action anew."""
