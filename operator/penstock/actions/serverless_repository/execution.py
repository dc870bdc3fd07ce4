"""Publishes a SAM application: creates it, or updates it and adds a version (10.3).

Every step may be made again: an application is known by its name, a version by its number. So a new
try goes on where a lost one stopped.
"""

from typing import Any

from botocore.exceptions import ClientError

from penstock.actions import aws
from penstock.actions.cloudformation.packaging import package
from penstock.actions.execution import SYSTEM_UNAVAILABLE, ActionError, Job, Outcome
from penstock.actions.serverless_repository.application import Application, read_application

_CONFLICT = "ConflictException"


def run(job: Job) -> Outcome:
    """Publish the template; raise ActionError for what the repository does not take."""
    configuration = job.request.configuration
    path = configuration["TemplatePath"]
    overrides = {
        key: configuration[key]
        for key in ("SemanticVersion", "SourceCodeUrl")
        if configuration.get(key)
    }
    application = read_application(package(job, path), path, overrides)
    client = aws.client(job, "serverlessrepo")
    # A look beforehand could be overtaken by another run: the conflict tells for certain.
    application_id, done = _create(client, application) or _renew(client, application)
    job.log(f"{application_id}: {done}")
    return Outcome(
        variables={"ApplicationId": application_id, "SemanticVersion": application.version},
        external_execution_id=application_id,
        summary=f"{application.name}: {done}",
    )


def _create(client: Any, application: Application) -> tuple[str, str] | None:
    """Create the application; return None if there is one of that name."""
    try:
        with aws.calls():
            made = client.create_application(**application.creation())
    except ActionError as error:
        if _is_conflict(error):
            return None
        raise
    version = f" with version {application.version}" if application.version else ""
    return str(made["ApplicationId"]), f"created{version}"


def _renew(client: Any, application: Application) -> tuple[str, str]:
    """Update what is said of the application, and add the version unless it is there already."""
    application_id = _id_of(client, application.name)
    with aws.calls():
        client.update_application(**application.update(application_id))
    if not application.version:
        return application_id, "updated"
    try:
        with aws.calls():
            client.create_application_version(**application.publication(application_id))
    except ActionError as error:
        if not _is_conflict(error):
            raise
        return (
            application_id,
            f"updated; version {application.version} is there already and stays as it is",
        )
    return application_id, f"updated, version {application.version} published"


def _id_of(client: Any, name: str) -> str:
    """Return the id of the account's own application of this name."""
    with aws.calls():
        # An update takes the id, and only the list leads from a name to it.
        for page in client.get_paginator("list_applications").paginate():
            for found in page["Applications"]:
                if found["Name"] == name:
                    return str(found["ApplicationId"])
    what = (
        f'the repository says that there is an application "{name}", and does not list it: try '
        f"again"
    )
    raise ActionError(SYSTEM_UNAVAILABLE, what)


def _is_conflict(error: ActionError) -> bool:
    return isinstance(error.__cause__, ClientError) and aws.error_code(error.__cause__) == _CONFLICT
