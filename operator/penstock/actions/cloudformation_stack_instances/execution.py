"""Runs CloudFormationStackInstances (Deploy, P-41).

One operation creates instances and updates outdated ones.
"""

from typing import Any

from penstock.actions.aws import client
from penstock.actions.cloudformation_stack_set.operations import Operations
from penstock.actions.cloudformation_stack_set.reading import (
    parameters_of,
    preferences_of,
    targets_of,
)
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job, Outcome


def run(job: Job) -> Outcome:
    """Deploy the stack set to the targets."""
    name = job.request.configuration["StackSetName"]
    targets = targets_of(job)
    if targets is None:
        raise ActionError(CONFIGURATION_ERROR, "configuration.DeploymentTargets: it is needed")
    wanted = {"StackSetName": name, **targets.request, **preferences_of(job)}
    if overrides := parameters_of(job, "ParameterOverrides"):
        wanted["ParameterOverrides"] = overrides
    service: Any = client(job, "cloudformation")
    operations = Operations(service, job, name)
    operations.run(
        "instances", lambda id_: service.create_stack_instances(**wanted, OperationId=id_)
    )
    number = len(targets.units or targets.accounts) * len(targets.regions)
    what = "1 instance" if number == 1 else f"{number} instances"
    return Outcome(
        variables={"StackSetId": operations.stack_set, "OperationId": operations.last},
        external_execution_id=operations.last,
        summary=f"stack set {name}: {what} deployed"
        if targets.accounts
        else f"stack set {name} deployed to its units",
    )
