"""CloudFormationStackSet (Deploy, P-40): new instances first, then the set's update, as on AWS."""

from typing import Any

from botocore.exceptions import ClientError

from penstock.actions.aws import calls, client, client_token, error_code
from penstock.actions.cloudformation.packaging import package
from penstock.actions.cloudformation.uploads import Uploads
from penstock.actions.cloudformation_stack_set.lists import Targets
from penstock.actions.cloudformation_stack_set.operations import Operations
from penstock.actions.cloudformation_stack_set.reading import (
    parameters_of,
    preferences_of,
    targets_of,
)
from penstock.actions.execution import Job, Outcome

_KEYS = ("Description", "PermissionModel", "ExecutionRoleName")


def run(job: Job) -> Outcome:
    """Create or update the stack set."""
    return _Deployment(job).run()


class _Deployment:
    """One action."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._configuration = job.request.configuration
        self._name = self._configuration["StackSetName"]
        self._client: Any = client(job, "cloudformation")
        self._operations = Operations(self._client, job, self._name)

    def run(self) -> Outcome:
        targets, request = targets_of(self._job), self._request()
        found = self._read()
        if found is None:
            with calls():
                found = self._client.create_stack_set(
                    StackSetName=self._name,
                    ClientRequestToken=client_token(self._job, "create"),
                    **request,
                )["StackSetId"]
            self._job.log(f"Created stack set {self._name}")
            self._create_instances(targets)
            what = "created"
        else:
            self._create_instances(self._missing(targets) if targets else None)
            self._update(request, targets)
            what = "updated"
        return Outcome(
            variables={"StackSetId": found, "OperationId": self._operations.last},
            external_execution_id=self._operations.last or found,
            summary=f"stack set {self._name} {what}",
        )

    def _read(self) -> str | None:
        """Return the stack set's id, None if there is none."""
        with calls():
            try:
                return str(
                    self._client.describe_stack_set(StackSetName=self._name)["StackSet"][
                        "StackSetId"
                    ]
                )
            except ClientError as error:
                if error_code(error) == "StackSetNotFoundException":
                    return None
                raise

    def _request(self) -> dict[str, Any]:
        path, uploads = self._configuration["TemplatePath"], Uploads(self._job)
        text = package(self._job, path, uploads)
        request: dict[str, Any] = {"Parameters": parameters_of(self._job, "Parameters")}
        request |= {key: self._configuration[key] for key in _KEYS if self._configuration.get(key)}
        if role := self._configuration.get("AdministrationRoleArn"):
            request["AdministrationRoleARN"] = role
        if capabilities := self._configuration.get("Capabilities"):
            request["Capabilities"] = capabilities.split(",")
        # CloudFormation takes AutoDeployment with this model alone.
        if self._configuration.get("PermissionModel") == "SERVICE_MANAGED":
            request["AutoDeployment"] = self._auto_deployment()
        return {**request, **uploads.template(text, path)}

    def _auto_deployment(self) -> dict[str, bool]:
        wanted = self._configuration.get("OrganizationsAutoDeployment", "Disabled")
        if wanted == "Disabled":
            return {"Enabled": False}
        return {
            "Enabled": True,
            "RetainStacksOnAccountRemoval": wanted == "EnabledWithStackRetention",
        }

    def _missing(self, targets: Targets) -> Targets | None:
        """Return what of the targets has no instance yet, None if each has."""
        units = bool(targets.units)
        have = set()
        with calls():
            for page in self._client.get_paginator("list_stack_instances").paginate(
                StackSetName=self._name
            ):
                for item in page["Summaries"]:
                    have.add(
                        (
                            item.get("OrganizationalUnitId" if units else "Account", ""),
                            item["Region"],
                        )
                    )
        lacking = [
            (place, region)
            for place in targets.units or targets.accounts
            for region in targets.regions
            if (place, region) not in have
        ]
        if not lacking:
            return None
        # A request names places times regions, so pairs that are there may be among them.
        places = tuple(dict.fromkeys(place for place, _ in lacking))
        regions = tuple(
            region for region in targets.regions if any(region == lack for _, lack in lacking)
        )
        return Targets((), places, regions) if units else Targets(places, (), regions)

    def _create_instances(self, targets: Targets | None) -> None:
        if targets is None:
            return
        wanted = {"StackSetName": self._name, **targets.request, **preferences_of(self._job)}
        self._operations.run(
            "instances", lambda id_: self._client.create_stack_instances(**wanted, OperationId=id_)
        )

    def _update(self, request: dict[str, Any], targets: Targets | None) -> None:
        """Update the set and the named instances, or all if none are named.

        Instances that are not named become outdated.
        """
        wanted = {
            "StackSetName": self._name,
            **request,
            **(targets.request if targets else {}),
            **preferences_of(self._job),
        }
        self._operations.run(
            "update", lambda id_: self._client.update_stack_set(**wanted, OperationId=id_)
        )
