"""Actions that change stacks, run in this process against the cluster's emulated AWS."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from penstock.actions.cloudformation import execution
from penstock.actions.execution import Outcome
from penstock.api.contract.contracts import ArtifactOrder, AwsAccess, StoreLocation
from tests.cluster import AwsServer
from tests.support.aws_servers import client
from tests.unit.actions.aws_server import aws_job
from tests.unit.actions.jobs import FakeJob

NO_FUNCTION = "arn:aws:lambda:eu-central-1:000000000000:function:none"


def topic(**properties: Any) -> dict[str, Any]:
    """Return a resource that is made at once."""
    return {"Type": "AWS::SNS::Topic", "Properties": properties}


BAD = {"Type": "AWS::CloudFormation::CustomResource", "Properties": {"ServiceToken": NO_FUNCTION}}
"""A resource that is never made: nobody is there to make it."""

SIGNALLED = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "CreationPolicy": {"ResourceSignal": {"Timeout": "PT3M"}},
}
"""A resource that is made when it is signalled; called Wait."""


def template(parameters: tuple[str, ...] = (), **resources: Any) -> str:
    """Return a template with resources, and an output for each of its parameters."""
    document: dict[str, Any] = {"Resources": resources}
    if parameters:
        document["Parameters"] = {name: {"Type": "String"} for name in parameters}
        document["Outputs"] = {name: {"Value": {"Ref": name}} for name in parameters}
    return json.dumps(document)


def status_of(client: Any, stack: str) -> str:
    """Return a stack's status, empty if there is none."""
    try:
        return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return ""


class Cloud:
    """Stacks of one test, under a name of its own."""

    def __init__(self, server: AwsServer, root: Path) -> None:
        self.server = server
        self.client = client(server, "cloudformation")
        self.stack = f"test-{secrets.token_hex(4)}"
        self._root = root
        self._jobs = 0
        self.bucket = ""

    def job(self, mode: str, files: dict[str, str] | None = None, **configuration: str) -> FakeJob:
        """Return an attempt of an action whose artifact App holds the files."""
        self._jobs += 1
        root = self._root / str(self._jobs)
        root.mkdir()
        keys = {"accessKeyId": self.server.access_key, "secretAccessKey": self.server.secret_key}
        access = AwsAccess(self.server.region, self.server.endpoint)
        wanted = {"ActionMode": mode, "StackName": self.stack, **configuration}
        if mode not in ("DELETE_ONLY", "CHANGE_SET_EXECUTE"):
            wanted.setdefault("TemplatePath", "App::template.json")
        if mode.startswith("CHANGE_SET"):
            wanted.setdefault("ChangeSetName", "changes")
        job = aws_job(root, "cloudformation", wanted, access, keys)
        job.request = job.request._replace(
            attempt=job.request.attempt._replace(run_uid=secrets.token_hex(8)),
            store=StoreLocation("artifacts", "http://elsewhere.invalid"),
            limits=job.request.limits._replace(timeout_s=60, connect_s=5),
        )
        job.deadline_in(60)
        folder = root / "App"
        for path, text in (files or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        job.inputs = {"App": folder} if files else {}
        return job

    def run(self, mode: str, files: dict[str, str] | None = None, **configuration: str) -> Outcome:
        """Run an action to its end."""
        return execution.run(self.job(mode, files, **configuration))

    def deploy(self, text: str, mode: str = "CREATE_UPDATE", **configuration: str) -> Outcome:
        """Run an action with a template."""
        return self.run(mode, {"template.json": text}, **configuration)

    @property
    def status(self) -> str:
        """The stack's status, empty if there is none."""
        return status_of(self.client, self.stack)

    def events(self) -> list[dict[str, Any]]:
        """Return the stack's events, the newest first."""
        found: list[dict[str, Any]] = self.client.describe_stack_events(StackName=self.stack)[
            "StackEvents"
        ]
        return found


def next_try(job: FakeJob) -> FakeJob:
    """Return the try of the same attempt that follows a lost one."""
    attempt = job.request.attempt
    job.request = job.request._replace(attempt=attempt._replace(try_=attempt.try_ + 1))
    job.deadline_in(60)
    return job


def with_output(job: FakeJob, name: str) -> FakeJob:
    """Return the job with an output artifact."""
    job.request = job.request._replace(outputs=(ArtifactOrder(name),))
    return job
