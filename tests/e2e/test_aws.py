"""Providers that call AWS, on a real cluster: S3 from versitygw, Lambda from
ministack, CloudWatch from moto.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster import AwsServer
from tests.e2e.conftest import Team, commands, stage
from tests.e2e.test_conditions import override, place, rule
from tests.e2e.test_stop import rows
from tests.support import aws_servers
from tests.support.install import s3_client
from tests.support.kube import Document, KubeError, eventually

# Lambda as ministack runs it has no boto3: a function calls the two operations as boto3 would.
ANSWER = """
import json, urllib.request

def answer(event, operation, **values):
    job = event["CodePipeline.job"]
    target = "CodePipeline_20150709." + operation
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    body = json.dumps({"jobId": job["id"], **values}).encode()
    request = urllib.request.Request(job["endpoint"], body, headers)
    urllib.request.urlopen(request, timeout=10).read()
"""
FUNCTIONS = {
    "succeed": """
def handler(event, context):
    configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    print("asked with", configuration["UserParameters"])
    variables, details = {"Url": "https://shop"}, {"summary": "ok"}
    answer(event, "PutJobSuccessResult", outputVariables=variables, executionDetails=details)
""",
    "continue": """
def handler(event, context):
    if "continuationToken" in event["CodePipeline.job"]["data"]:
        details = {"externalExecutionId": "migration-7"}
        return answer(event, "PutJobSuccessResult", executionDetails=details)
    answer(event, "PutJobSuccessResult", continuationToken="half")
""",
    "fail": """
def handler(event, context):
    details = {"type": "JobFailed", "message": "the schema is older than the code"}
    return {"jobId": event["CodePipeline.job"]["id"], "failureDetails": details}
""",
    # What the five-stage pipeline's own function does, with boto3 as Lambda has it.
    "publish": """
import boto3, io, os, zipfile

def handler(event, context):
    job = event["CodePipeline.job"]
    place = job["data"]["inputArtifacts"][0]["location"]["s3Location"]
    keys = job["data"]["artifactCredentials"]
    store = boto3.client(
        "s3", endpoint_url=place["endpoint"], region_name=os.environ["REGION"],
        aws_access_key_id=keys["accessKeyId"], aws_secret_access_key=keys["secretAccessKey"],
    )
    body = store.get_object(Bucket=place["bucketName"], Key=place["objectKey"])["Body"].read()
    template = zipfile.ZipFile(io.BytesIO(body)).read("packaged-template.yaml").decode()
    made = client("serverlessrepo", os.environ["REPOSITORY"]).create_application(
        Name=os.environ["NAME"], Author="team", Description="published by a function",
        SemanticVersion="1.0.0", TemplateBody=template,
    )
    client("codepipeline", job["endpoint"]).put_job_success_result(
        jobId=job["id"], outputVariables={"ApplicationId": made["ApplicationId"]}
    )

def client(service, endpoint):
    return boto3.client(
        service, endpoint_url=endpoint, region_name=os.environ["REGION"],
        aws_access_key_id="test", aws_secret_access_key="test",
    )
""",
    "hand-over": """
def handler(event, context):
    print("somebody else answers")
""",
    "crash": """
def handler(event, context):
    raise KeyError("DATABASE_URL")
""",
}


@dataclass
class Cloud:
    """A server, its keys in a Secret of the team, and the configuration that
    leads an action there.
    """

    server: AwsServer
    secret: str = "cloud"
    made: dict[str, str] = field(default_factory=dict)

    @property
    def configuration(self) -> Document:
        return {
            "Endpoint": self.server.cluster_endpoint,
            "Region": self.server.region,
            "CredentialsSecret": self.secret,
        }

    def admit(self, team: Team) -> None:
        data = {"accessKeyId": self.server.access_key, "secretAccessKey": self.server.secret_key}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.secret},
            "stringData": data,
        }
        team.kube.apply([body], team.namespace)


@pytest.fixture(scope="module")
def lambdas(cluster: Any) -> Iterator[Cloud]:
    """Give a Lambda with the functions; their names end alike, so that runs
    of the tests do not meet.
    """
    cloud = Cloud(aws_servers.ready(cluster, "aws"), "lambda")
    client, suffix = aws_servers.client(cloud.server, "lambda"), secrets.token_hex(3)
    for name, code in FUNCTIONS.items():
        cloud.made[name] = f"{name}-{suffix}"
        client.create_function(
            FunctionName=cloud.made[name],
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/function",
            Handler="main.handler",
            Code={"ZipFile": zipped(ANSWER + code)},
            Timeout=30,
            Environment={
                "Variables": {
                    "NAME": cloud.made[name],
                    "REGION": cloud.server.region,
                    "REPOSITORY": cluster.serverlessrepo.cluster_endpoint,
                }
            },
        )
    yield cloud
    for made in cloud.made.values():
        client.delete_function(FunctionName=made)


def zipped(code: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("main.py", code)
    return sink.getvalue()


def invoke(name: str, cloud: Cloud, function: str, **fields: Any) -> Document:
    configuration = {
        "FunctionName": cloud.made.get(function, function),
        "UserParameters": "{}",
        **cloud.configuration,
    }
    return {
        "name": name,
        "actionTypeId": {
            "category": "Invoke",
            "owner": "AWS",
            "provider": "Lambda",
            "version": "1",
        },
        "configuration": configuration,
        **fields,
    }


def upload(name: str, cloud: Cloud, **configuration: str) -> Document:
    return {
        "name": name,
        "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {**cloud.configuration, **configuration},
        "inputArtifacts": [{"name": "Site"}],
    }


def test_p_48_an_artifact_is_deployed_to_a_bucket(team: Team) -> None:
    cloud = Cloud(team.cluster.s3)
    cloud.admit(team)
    bucket = f"site-{secrets.token_hex(4)}"
    client = s3_client(team.cluster)
    client.create_bucket(Bucket=bucket)
    makes = "mkdir css; echo hello > index.html; echo 'p {}' > css/site.css"
    builds = commands("Build", makes, outputArtifacts=[{"name": "Site", "files": ["**/*"]}])
    wrong = Cloud(team.cluster.s3, "wrong-keys")
    body = {
        "accessKeyId": team.cluster.s3.access_key,
        "secretAccessKey": "planted-wrong-secret-key",
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": wrong.secret},
        "stringData": body,
    }
    team.kube.apply([manifest], team.namespace)
    team.pipeline(
        "web",
        stage("Build", builds),
        stage(
            "Deploy",
            upload(
                "Files",
                cloud,
                BucketName=bucket,
                Extract="true",
                ObjectKey="v1",
                CacheControl="no-store",
            ),
            upload("Zip", cloud, BucketName=bucket, Extract="false", ObjectKey="site.zip"),
            upload("Missing", cloud, BucketName=f"{bucket}-none", Extract="true"),
            upload("Refused", wrong, BucketName=bucket, Extract="true"),
        ),
    )
    team.start("web")
    assert team.ended()["state"] == "Failed"
    page = client.get_object(Bucket=bucket, Key="v1/index.html")
    assert (page["Body"].read(), page["ContentType"], page["CacheControl"]) == (
        b"hello\n",
        "text/html",
        "no-store",
    )
    stored = io.BytesIO(client.get_object(Bucket=bucket, Key="site.zip")["Body"].read())
    assert zipfile.ZipFile(stored).namelist() == ["css/site.css", "index.html"]
    assert team.execution("Files")["summary"] == f"2 objects, 11 bytes, to s3://{bucket}/v1"
    assert "NoSuchBucket" in team.execution("Missing")["errorDetails"]["message"]
    assert team.execution("Refused")["errorDetails"]["code"] == "PermissionError"
    assert "planted-wrong-secret-key" not in json.dumps(team.run())


def test_p_70_functions_answer_in_every_way(team: Team, lambdas: Cloud) -> None:
    lambdas.admit(team)
    team.pipeline(
        "web",
        stage(
            "Invoke",
            invoke("Good", lambdas, "succeed", namespace="Good"),
            invoke("Long", lambdas, "continue"),
            invoke("Bad", lambdas, "fail"),
            invoke("Broken", lambdas, "crash"),
            invoke("Missing", lambdas, "no-such-function"),
        ),
    )
    team.start("web")
    assert team.ended()["state"] == "Failed"
    good = team.execution("Good")
    assert (good["status"], good["outputVariables"], good["summary"]) == (
        "Succeeded",
        {"Url": "https://shop"},
        "ok",
    )
    assert team.execution("Long")["externalExecutionId"] == "migration-7"
    told = {name: team.execution(name)["errorDetails"] for name in ("Bad", "Broken", "Missing")}
    assert told["Bad"] == {"code": "JobFailed", "message": "the schema is older than the code"}
    assert "'DATABASE_URL'" in told["Broken"]["message"]
    assert "ResourceNotFoundException" in told["Missing"]["message"]


def test_a_function_publishes_an_artifact_as_in_the_original_module(
    team: Team, lambdas: Cloud
) -> None:
    lambdas.admit(team)
    aws_servers.ready(team.cluster, "serverlessrepo")
    made = commands(
        "Make",
        "echo 'Resources: {}' > packaged-template.yaml",
        outputArtifacts=[{"name": "BuildArtifact", "files": ["packaged-template.yaml"]}],
    )
    publish = invoke("Publish", lambdas, "publish", inputArtifacts=[{"name": "BuildArtifact"}])
    publish["configuration"]["ArtifactCredentials"] = "Inherit"
    team.pipeline("web", stage("Build", made), stage("Publish", publish))
    team.start("web")
    status = team.ended()
    assert status["state"] == "Succeeded", status["statusSummary"]
    application = team.execution("Publish")["outputVariables"]["ApplicationId"]
    repository = aws_servers.client(team.cluster.serverlessrepo, "serverlessrepo")
    assert (
        repository.get_application(ApplicationId=application)["Version"]["SemanticVersion"]
        == "1.0.0"
    )


def test_an_invocation_may_be_lost_late_or_given_up(team: Team, lambdas: Cloud) -> None:
    lambdas.admit(team)
    waiting = [invoke(name, lambdas, "hand-over") for name in ("Killed", "Late")]
    team.pipeline("web", stage("Invoke", *waiting))
    team.pipeline("stopped", stage("Invoke", invoke("GivenUp", lambdas, "hand-over")))
    team.start("web")
    team.start("stopped", "stopped")

    def pod_of(action: str, run: str) -> str | None:
        job = team.execution(action, run).get("jobName")
        pods = (
            team.kube.objects("pods", team.namespace, f"batch.kubernetes.io/job-name={job}")
            if job
            else []
        )
        is_waiting = pods and "its answer is waited for" in logs_of(
            team, pods[0]["metadata"]["name"]
        )
        return str(pods[0]["metadata"]["name"]) if is_waiting else None

    killed = eventually(lambda: pod_of("Killed", "run"), 30, "Killed waits")
    eventually(lambda: pod_of("GivenUp", "stopped"), 30, "GivenUp waits")
    team.kube.delete("pods", team.namespace, killed, gracePeriodSeconds=0)
    team.kube.kubectl(
        "-n",
        team.namespace,
        "patch",
        "plr",
        "stopped",
        "--type=merge",
        "-p",
        '{"spec": {"stop": {"abandon": true}}}',
    )
    assert team.ended("stopped")["state"] == "Stopped"
    assert team.execution("GivenUp", "stopped")["status"] == "Abandoned"
    team.ended(seconds=90)
    assert team.execution("Killed")["errorDetails"]["code"] == "ExecutionLost"
    assert team.execution("Late")["errorDetails"]["code"] == "TimedOut"


def logs_of(team: Team, pod: str) -> str:
    try:
        return team.kube.log(team.namespace, pod)
    except KubeError:
        return ""


def test_oracle_o_25_function_refuses_entry_until_it_is_overridden(
    team: Team, lambdas: Cloud
) -> None:
    lambdas.admit(team)
    configuration = {"FunctionName": lambdas.made["fail"], **lambdas.configuration}
    asks = rule("LambdaInvoke", "Schema", configuration=configuration)
    deploy = {**stage("Deploy", commands("Ship", "true")), "beforeEntry": place("FAIL", asks)}
    team.pipeline("web", stage("Build", commands("Make", "true")), deploy)
    team.start("web")
    status = team.ended()
    assert rows(status) == {"Build": "Succeeded", "Make": "Succeeded", "Deploy": "Failed"}
    assert "the schema is older than the code" in status["statusSummary"]
    override(
        team,
        stageName="Deploy",
        conditionType="BEFORE_ENTRY",
        requestedBy="alice",
        reason="it is not",
    )
    eventually(lambda: team.status()["state"] == "Succeeded", 30, "the run went on")
    assert rows(team.status())["Ship"] == "Succeeded"


def test_oracle_o_26_alarm_after_a_stage_rolls_it_back(team: Team) -> None:
    cloud = Cloud(aws_servers.ready(team.cluster, "moto"), "alarms")
    cloud.admit(team)
    client, alarm = aws_servers.client(cloud.server, "cloudwatch"), f"errors-{secrets.token_hex(3)}"

    def set_state(state: str) -> None:
        client.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="test")

    client.put_metric_alarm(
        AlarmName=alarm, MetricName="Errors", Namespace="Shop", Period=60, EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
    )  # fmt: skip
    set_state("OK")
    quiet = rule(
        "CloudWatchAlarm", "Quiet", configuration={"AlarmName": alarm, **cloud.configuration}
    )
    deploy = {**stage("Deploy", commands("Ship", "true")), "onSuccess": place("ROLLBACK", quiet)}
    team.pipeline("web", stage("Build", commands("Make", "true")), deploy)
    team.start("web")
    assert team.ended()["state"] == "Succeeded"
    set_state("ALARM")
    team.start("web", "bad")
    status = team.ended("bad")
    assert status["state"] == "Failed"
    assert f"the alarm {alarm} is ALARM" in status["statusSummary"]

    back = status["automaticRollback"]["run"]
    eventually(
        lambda: team.kube.find("pipelineruns", team.namespace, back), 10, "the rollback exists"
    )
    assert team.ended(back)["state"] == "Succeeded"
