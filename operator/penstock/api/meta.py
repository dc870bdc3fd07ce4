"""The words that Kubernetes objects carry: group, kinds, labels and annotations."""

GROUP = "penstock.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

PIPELINE = "Pipeline"
PIPELINE_RUN = "PipelineRun"
APPROVAL = "Approval"
ACTION_TYPE = "ActionType"
CONNECTION = "Connection"
CLUSTER_ACTION_TYPE = "ClusterActionType"

# Labels hold hashes, since a label holds 63 characters and a CodePipeline name may have 100; the
# full names stand in the annotations of the same words.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PIPELINE = f"{GROUP}/pipeline"
LABEL_RUN_UID = f"{GROUP}/run-uid"
LABEL_STAGE = f"{GROUP}/stage"
LABEL_ACTION = f"{GROUP}/action"

ANNOTATION_PIPELINE = f"{GROUP}/pipeline"
ANNOTATION_RUN = f"{GROUP}/run"
ANNOTATION_STAGE = f"{GROUP}/stage"
ANNOTATION_ACTION = f"{GROUP}/action"
ANNOTATION_ATTEMPT = f"{GROUP}/attempt"
ANNOTATION_TRY = f"{GROUP}/try"
ANNOTATION_SPEC_HASH = f"{GROUP}/spec-hash"
ANNOTATION_ARN = f"{GROUP}/arn"
"""The ARN of definitions from AWS that an object stands for."""
# What triggers write on the runs they start.
LABEL_STARTED_BY = f"{GROUP}/started-by"
ANNOTATION_PIPELINE_UID = f"{GROUP}/pipeline-uid"
ANNOTATION_SOURCE_REVISION = f"{GROUP}/source-revision"
ANNOTATION_SOURCE_REF = f"{GROUP}/source-ref"
ANNOTATION_SOURCE_SEQUENCE = f"{GROUP}/source-sequence"

# What tools that declare objects write on them; annotations and labels.
KEEP = f"{GROUP}/keep"
DECLARED_BY = (
    "argocd.argoproj.io/tracking-id",
    "app.kubernetes.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
)

MANAGED_BY = "penstock"
FIELD_MANAGER = "penstock-controller"
TRIGGERS = "penstock-triggers"
RECEIVER = "penstock-receiver"
