"""``make sam``: the serverless five-stage pipeline against emulated AWS, each
step explained as it happens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from tests.cluster import Cluster, load
from tests.e2e.demo import FAILED, SUCCEEDED, StoryError, make_namespace, require, say
from tests.support import aws_servers
from tests.support.install import (
    ROOT,
    files_below,
    install_chart,
    make_bucket,
    make_store_secret,
    push_repository,
)
from tests.support.kube import Kube, eventually

EXAMPLE = ROOT / "examples" / "08-sam-five-stages"
RELEASE = "greeter"
TEMPLATE = "template.yaml"
BROKEN = """\
  Broken:
    Type: AWS::CloudFormation::CustomResource
    Properties:
      ServiceToken: arn:aws:lambda:eu-central-1:000000000000:function:does-not-exist

Outputs:"""


@dataclass
class Demo:
    """The story on a cluster. Each step ends within its limit, or the demo fails and says where."""

    cluster: Cluster
    kube: Kube
    namespace: str = "greeter"

    def __post_init__(self) -> None:
        self.files = files_below(EXAMPLE / "repository")
        self.values: dict[str, Any] = yaml.safe_load((EXAMPLE / "values.yaml").read_text())
        self.aws = aws_servers.ready(self.cluster, "serverlessrepo")
        aws_servers.ready(self.cluster, "aws")

    def tell(self) -> None:
        """Tell the whole story; raise StoryError where it does not go as it must."""
        self.prepare()
        self.push("A serverless application", "version 1.0.0")
        self.install()
        run = self.start(SUCCEEDED)
        self.penstock("describe", run)
        self.show("1.0.0")
        sound = self.files[TEMPLATE]
        self.files[TEMPLATE] = sound.replace("Outputs:", BROKEN)
        self.push(
            "A template that fails: the stack is rolled back", "a resource that cannot be created"
        )
        failed = self.start(FAILED)
        summary = self.kube.get("pipelineruns", self.namespace, failed)["status"]["statusSummary"]
        require(
            "UPDATE_ROLLBACK_COMPLETE" in summary and "Broken" in summary,
            f"{summary!r} does not say why",
        )
        say("The run says why in one line", summary)
        self.show("1.0.0", "UPDATE_ROLLBACK_COMPLETE")
        self.files[TEMPLATE] = sound.replace("SemanticVersion: 1.0.0", "SemanticVersion: 1.1.0")
        self.push("The next version", "version 1.1.0")
        self.start(SUCCEEDED)
        self.show("1.1.0")

    def prepare(self) -> None:
        """Make what an administrator makes once: the bucket for packages, the keys of AWS."""
        make_bucket(self.cluster)
        make_namespace(self.kube, self.namespace, EXAMPLE.name)
        make_store_secret(self.cluster, self.kube, self.namespace)
        keys = {"accessKeyId": self.aws.access_key, "secretAccessKey": self.aws.secret_key}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws"},
            "stringData": keys,
        }
        self.kube.apply([secret], self.namespace)
        bucket = self.values["packageBucket"]
        where = {"LocationConstraint": self.aws.region}
        try:
            self.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        except ClientError as error:
            require(error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou", str(error))

    def install(self) -> None:
        """Install the chart of the five stages."""
        chart = (
            f"helm upgrade --install {RELEASE} charts/sam-pipeline --values "
            f"{EXAMPLE.relative_to(ROOT)}/values.yaml"
        )
        helm = [str(Path(self.cluster.bin_dir) / "helm"), *chart.split()[1:], "-n", self.namespace]
        environment = {**os.environ, "KUBECONFIG": self.cluster.kubeconfig}
        done = subprocess.run(
            helm, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        require(done.returncode == 0, done.stderr)
        say("Installed the five stages", chart)
        eventually(self.is_ready, 30, f"Pipeline {RELEASE} is Ready")

    def is_ready(self) -> bool:
        """Whether the operator has found the definition valid."""
        conditions = (
            self.kube.get("pipelines", self.namespace, RELEASE)
            .get("status", {})
            .get("conditions", [])
        )
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def push(self, title: str, change: str) -> None:
        """Push the files as they are now."""
        repository = push_repository(self.cluster, "examples/greeter", self.files, message=change)
        say(title, f"{repository.url} is at {repository.commit[:10]}: {change}")

    def start(self, code: int) -> str:
        """Start a run and watch it as a user would; return its name. It must end as expected."""
        name = f"{RELEASE}-{int(time.time() * 1000):x}"
        ended = self.penstock("start", RELEASE, "--name", name, "--watch", "--timeout", "180")
        require(ended == code, f"penstock start --watch of {name} ended with {ended}, not {code}")
        return name

    def show(self, version: str, *statuses: str) -> None:
        """Show the stack, what its function answers, and the published
        versions, with this among them.
        """
        stack = self.client("cloudformation").describe_stacks(
            StackName=self.values["deployStackName"]
        )["Stacks"][0]
        wanted = statuses or ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        require(stack["StackStatus"] in wanted, f"the stack is {stack['StackStatus']}")
        function = next(
            o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "FunctionName"
        )
        payload = self.client("lambda").invoke(
            FunctionName=function, Payload=b'{"name": "Penstock"}'
        )["Payload"]
        answer = json.loads(payload.read())
        require(answer == "Welcome, Penstock", f"the function answers {answer!r}")
        repository = self.client("serverlessrepo")
        found = repository.list_applications()["Applications"]
        application = next(item["ApplicationId"] for item in found if item["Name"] == "greeter")
        listed = repository.list_application_versions(ApplicationId=application)["Versions"]
        versions = [item["SemanticVersion"] for item in listed]
        require(version in versions, f"the published versions are {versions}")
        say(
            "What is there now",
            f"stack {stack['StackName']}: {stack['StackStatus']}",
            f"function {function} answers: {answer}",
            f"application {application}: {', '.join(versions)}",
        )

    def client(self, service: str) -> Any:
        """Return a client of the emulated AWS."""
        return aws_servers.client(self.aws, service)

    def penstock(self, *arguments: str) -> int:
        """Run the penstock command as a user would; return its exit code."""
        command = [sys.executable, "-m", "penstock.cli", "-n", self.namespace, *arguments]
        environment = {**os.environ, "KUBECONFIG": self.cluster.kubeconfig}
        return subprocess.run(command, env=environment, timeout=240, check=False).returncode


def main() -> int:
    """Install Penstock and tell the story; return 0 if it went as it must."""
    started = time.monotonic()
    cluster = load()
    kube = Kube(cluster.kubeconfig)
    say(
        "Installing Penstock",
        f"helm upgrade --install penstock charts/penstock (image {cluster.image})",
    )
    install_chart(cluster, kube, {})
    try:
        Demo(cluster, kube).tell()
    except StoryError as error:
        say("The demo failed", str(error))
        return 1
    say(
        f"Done after {time.monotonic() - started:.0f} s",
        "make cluster-down   # stops the cluster and removes all of it",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
