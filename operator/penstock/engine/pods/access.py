"""What an action reaches, and as whom: Secrets, the artifact store, AWS, a Git host."""

from collections.abc import Mapping

from penstock.actions.aws_configuration import CREDENTIALS_KEY
from penstock.api.contract.contracts import (
    SECRETS_DIR,
    STORE_DIR,
    AwsAccess,
    ConnectionAccess,
    StoreLocation,
)
from penstock.api.kinds.pipeline import ArtifactStore
from penstock.engine.definition.errors import RequestError
from penstock.engine.pods.context import TryContext
from penstock.engine.settings import Settings

STORE_SECRET = "artifact-store"


def secret_names(context: TryContext, configuration: Mapping[str, str]) -> dict[str, str]:
    """Return key to Secret for everything secret that the agent needs, but for the store's."""
    project = context.project
    of_project = (
        {CREDENTIALS_KEY: project.credentials_secret}
        if project and project.credentials_secret
        else {}
    )
    through = context.connection
    of_connection = (
        {context.declared.connection: through.spec.credentials_secret}
        if through and through.spec.credentials_secret
        else {}
    )
    return {**context.declared.secret_names(configuration), **of_project, **of_connection}


def store_of(store: ArtifactStore | None) -> StoreLocation:
    """Return where artifacts are; raise RequestError for a pipeline without a store."""
    if store is None:
        raise RequestError("ConfigurationError", "the pipeline has no artifactStore")
    if store.type == "Volume":
        return StoreLocation(store.location, folder=STORE_DIR)
    credentials = f"{SECRETS_DIR}/{STORE_SECRET}" if store.credentials else None
    kms_key = store.encryption_key.id if store.encryption_key else None
    return StoreLocation(store.location, store.endpoint, store.region, credentials, kms_key=kms_key)


def aws_access(
    context: TryContext, configuration: Mapping[str, str], settings: Settings
) -> AwsAccess | None:
    """Return the target and roles of AWS calls, or None if there are no calls.

    The pipeline's role is assumed first. It assumes the action's role.

    A build makes calls if its project says as whom: the pipeline's roles are not a build's.
    """
    project = context.project
    if project and (project.service_role or project.credentials_secret):
        roles: tuple[str | None, ...] = (project.service_role,)
    elif context.declared.calls_aws:
        roles = (context.definition.role_arn, context.action.role_arn)
    else:
        return None
    return AwsAccess(
        region=configuration.get("Region") or context.action.region or settings.aws_region or None,
        endpoint=configuration.get("Endpoint") or settings.aws_endpoint or None,
        role_arns=tuple(dict.fromkeys(role for role in roles if role)),
    )


def connection_access(context: TryContext) -> ConnectionAccess | None:
    """Return the Connection as the attempt has it, None for an action that needs none."""
    if not context.declared.connection:
        return None
    through = context.connection
    if through is None:
        raise RequestError(
            "DefinitionLost",
            f"the ControllerRevision with the Connection of {context.action.name} as the attempt "
            f"began is gone: start a new run",
        )
    return ConnectionAccess(through.name, through.spec.provider_type, through.spec.address)
