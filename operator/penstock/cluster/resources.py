"""The resources that the operator touches, and where the API server keeps them."""

from dataclasses import dataclass

from penstock.api.meta import GROUP, VERSION


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource: its kind, and the path of its group and plural."""

    kind: str
    api: str
    plural: str
    is_namespaced: bool = True

    def path(
        self, namespace: str | None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Return the URL path of a collection, object, or part of it; None: all namespaces."""
        parts = [self.api]
        if namespace and self.is_namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


PIPELINES = Resource("Pipeline", f"apis/{GROUP}/{VERSION}", "pipelines")
RUNS = Resource("PipelineRun", f"apis/{GROUP}/{VERSION}", "pipelineruns")
BUILD_PROJECTS = Resource("BuildProject", f"apis/{GROUP}/{VERSION}", "buildprojects")
CONNECTIONS = Resource("Connection", f"apis/{GROUP}/{VERSION}", "connections")
ACTION_TYPES = Resource("ActionType", f"apis/{GROUP}/{VERSION}", "actiontypes")
CLUSTER_ACTION_TYPES = Resource(
    "ClusterActionType", f"apis/{GROUP}/{VERSION}", "clusteractiontypes", False
)
TRANSITIONS = Resource("StageTransition", f"apis/{GROUP}/{VERSION}", "stagetransitions")
APPROVALS = Resource("Approval", f"apis/{GROUP}/{VERSION}", "approvals")
JOBS = Resource("Job", "apis/batch/v1", "jobs")
PODS = Resource("Pod", "api/v1", "pods")
REVISIONS = Resource("ControllerRevision", "apis/apps/v1", "controllerrevisions")
EVENTS = Resource("Event", "apis/events.k8s.io/v1", "events")
CORE_EVENTS = Resource(
    "Event", "api/v1", "events"
)  # where they can be selected by the object they are about
SECRETS = Resource("Secret", "api/v1", "secrets")
LEASES = Resource("Lease", "apis/coordination.k8s.io/v1", "leases")
POLICIES = Resource(
    "ValidatingAdmissionPolicy",
    "apis/admissionregistration.k8s.io/v1",
    "validatingadmissionpolicies",
)
POLICY_BINDINGS = Resource(
    "ValidatingAdmissionPolicyBinding",
    "apis/admissionregistration.k8s.io/v1",
    "validatingadmissionpolicybindings",
)
