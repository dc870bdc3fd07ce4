"""Lambda invoke (P-70): what a function is told, and every way in which it may answer.

The functions here answer as Lambda's Invoke does; real ones run in the end-to-end tests.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from penstock.actions.execution import ActionError, Outcome
from penstock.actions.lambda_function import execution
from penstock.actions.lambda_function.answers import FAILURE, SUCCESS, Jobs, RefusedError
from penstock.api.contract.contracts import ArtifactOrder, AwsAccess, StoreLocation
from tests.unit.actions.aws_server import REGION, aws_job
from tests.unit.actions.jobs import FakeJob

Event = dict[str, Any]
Function = Callable[[Event], Any]


class Lambda:
    """Lambda's Invoke: runs Python functions, one after the other, the last again and again."""

    def __init__(self, *functions: Function) -> None:
        self.events: list[Event] = []
        self._functions = functions
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, payload = outer.invoke(json.loads(body)["CodePipeline.job"])
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(payload))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def invoke(self, event: Event) -> tuple[int, dict[str, str], bytes]:
        self.events.append(event)
        function = self._functions[min(len(self.events), len(self._functions)) - 1]
        log = {"X-Amz-Log-Result": base64.b64encode(b"START\nworking\nEND\n").decode()}
        try:
            return 200, log, json.dumps(function(event)).encode()
        except Denied:
            headers = {"x-amzn-ErrorType": "AccessDeniedException"}
            return 403, headers, b'{"Message": "not authorized to perform: lambda:InvokeFunction"}'
        except Throttled:
            return (
                429,
                {"x-amzn-ErrorType": "TooManyRequestsException"},
                b'{"message": "Rate exceeded"}',
            )
        except Exception as error:
            document = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return 200, {**log, "X-Amz-Function-Error": "Unhandled"}, json.dumps(document).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Throttled(Exception):
    """Lambda has no room."""


class Denied(Exception):
    """Whoever calls may not invoke the function."""


def put(event: Event, operation: str, **values: Any) -> None:
    """Do what a function does: call CodePipeline's API with boto3."""
    client = boto3.client(
        "codepipeline",
        endpoint_url=event["endpoint"],
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    getattr(client, operation)(jobId=event["id"], **values)


def succeed(event: Event) -> None:
    put(
        event,
        "put_job_success_result",
        outputVariables={"Url": "https://x"},
        executionDetails={"summary": "done"},
    )


@pytest.fixture
def started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Lambda, FakeJob]]]:
    """Give a way to make a Lambda and a job that invokes it, both quick."""
    monkeypatch.setattr(execution, "_AGAIN_S", 0.01)
    monkeypatch.setattr(execution, "_THROTTLED_S", (0.01, 0.01))
    monkeypatch.setattr("penstock.actions.lambda_function.endpoint._address", lambda: "127.0.0.1")
    servers: list[Lambda] = []

    def start(*functions: Function, **configuration: str) -> tuple[Lambda, FakeJob]:
        servers.append(Lambda(*functions))
        job = aws_job(
            tmp_path,
            "lambda_function",
            {
                "FunctionName": "arn:aws:lambda:eu-central-1:123456789012:function:publish",
                **configuration,
            },
            AwsAccess(REGION, servers[-1].address),
        )
        return servers[-1], job

    yield start
    for server in servers:
        server.close()


Started = Callable[..., tuple[Lambda, FakeJob]]


def failure_of(job: FakeJob) -> ActionError:
    with pytest.raises(ActionError) as caught:
        execution.run(job)
    return caught.value


def test_a_function_answers_with_boto3(started: Started) -> None:
    server, job = started(succeed, UserParameters="{}")
    outcome = execution.run(job)
    assert (outcome.variables, outcome.summary) == ({"Url": "https://x"}, "done")
    event = server.events[0]
    assert event["accountId"] == "123456789012"
    assert event["data"] == {
        "actionConfiguration": {
            "configuration": {
                "FunctionName": "arn:aws:lambda:eu-central-1:123456789012:function:publish",
                "UserParameters": "{}",
            }
        },
        "inputArtifacts": [],
        "outputArtifacts": [],
    }
    assert "working" in job.lines


def test_a_function_answers_by_what_it_returns(started: Started) -> None:
    _, job = started(lambda event: {"jobId": event["id"], "outputVariables": {"A": "1"}})
    assert execution.run(job).variables == {"A": "1"}


@pytest.mark.parametrize("by_return", [True, False])
def test_a_function_says_why_it_failed(started: Started, by_return: bool) -> None:
    details = {
        "type": "RevisionUnavailable",
        "message": "gone\nfor good",
        "externalExecutionId": "id-7",
    }

    def fail(event: Event) -> Any:
        if by_return:
            return {"jobId": event["id"], "failureDetails": details}
        return put(event, "put_job_failure_result", failureDetails=details)

    _, job = started(fail)
    error = failure_of(job)
    assert (error.code, error.message, job.identified) == (
        "RevisionUnavailable",
        "gone\\nfor good",
        "id-7",
    )


def test_an_error_of_the_function_fails_the_action_at_once(started: Started) -> None:
    def crash(_: Event) -> None:
        raise ValueError("no such table")

    _, job = started(crash)
    error = failure_of(job)
    assert error.code == "JobFailed"
    assert error.message.endswith("function:publish: ValueError: no such table")
    assert "working" in job.lines


def test_a_continuation_token_leads_to_another_job(started: Started) -> None:
    def begin(event: Event) -> None:
        put(
            event,
            "put_job_success_result",
            continuationToken="half",
            executionDetails={"summary": "half way"},
        )

    server, job = started(begin, begin, succeed)
    assert execution.run(job).summary == "done"
    assert [event["data"].get("continuationToken") for event in server.events] == [
        None,
        "half",
        "half",
    ]
    assert len({event["id"] for event in server.events}) == 3
    assert "The function goes on: half way" in job.lines


def test_an_error_of_an_ended_job_does_not_end_the_next(started: Started) -> None:
    ended = threading.Event()

    def begin(event: Event) -> None:
        put(event, "put_job_success_result", continuationToken="half")
        raise ValueError("too late")

    def go_on(event: Event) -> None:
        ended.set()
        succeed(event)

    _, job = started(begin, go_on)
    execution.run(job)
    assert ended.is_set()


def test_someone_else_may_answer_after_the_function_has_returned(started: Started) -> None:
    def hand_over(event: Event) -> None:
        threading.Timer(0.2, lambda: succeed(event)).start()

    _, job = started(hand_over)
    assert execution.run(job).summary == "done"
    assert "The function has returned; its answer is waited for" in job.lines


def test_t_03_a_function_that_never_answers_fails_the_action(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_SILENCE_S", 0.3)
    _, job = started(lambda _: None)
    error = failure_of(job)
    assert error.code == "TimedOut"
    assert "PutJobSuccessResult" in error.message


def test_throttling_is_waited_out_and_nothing_else_is_tried_twice(started: Started) -> None:
    def throttle(_: Event) -> None:
        raise Throttled

    server, job = started(throttle, throttle, succeed)
    execution.run(job)
    assert len(server.events) == 3
    assert len({event["id"] for event in server.events}) == 1


def test_who_may_not_invoke_the_function_is_told_so(started: Started) -> None:
    def deny(_: Event) -> None:
        raise Denied

    server, job = started(deny)
    error = failure_of(job)
    assert error.code == "PermissionError"
    assert error.message.startswith("Invoke: AccessDeniedException: not authorized")
    assert len(server.events) == 1


def test_a_lambda_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    error = failure_of(
        aws_job(
            tmp_path,
            "lambda_function",
            {"FunctionName": "f"},
            AwsAccess(REGION, "http://127.0.0.1:9"),
        )
    )
    assert error.code == "SystemUnavailable"


def zipped(**files: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return sink.getvalue()


def with_artifacts(job: FakeJob, outputs: tuple[str, ...] = ("Out",)) -> FakeJob:
    (folder := job.root / "artifact").mkdir()
    (folder / "template.yaml").write_text("Resources: {}")
    job.inputs = {"In": folder}
    orders = tuple(ArtifactOrder(name) for name in outputs)
    store = StoreLocation("artifacts", "http://s3", credentials=str(job.root / "credentials"))
    job.request = job.objects.request = job.request._replace(outputs=orders, store=store)
    return job


def test_artifacts_go_in_and_out_as_zips(started: Started) -> None:
    seen: list[Mapping[str, Any]] = []

    def copy(event: Event) -> None:
        seen.append(event["data"])
        job.objects.stored["Out.zip"] = zipped(a="1")
        succeed(event)

    _, job = started(copy)
    with_artifacts(job)
    execution.run(job)
    assert (
        zipfile.ZipFile(io.BytesIO(job.objects.stored["In.zip"])).read("template.yaml")
        == b"Resources: {}"
    )
    place = {"bucketName": "artifacts", "objectKey": "objects/In.zip", "endpoint": "http://s3"}
    assert seen[0]["inputArtifacts"] == [
        {"name": "In", "revision": None, "location": {"type": "S3", "s3Location": place}}
    ]
    assert seen[0]["outputArtifacts"][0]["location"]["s3Location"]["objectKey"] == "objects/Out.zip"
    assert "artifactCredentials" not in seen[0]
    assert job.outputs.stored == {"Out": {"a": "1"}}


def test_the_stores_keys_are_handed_over_only_when_asked_for(started: Started) -> None:
    server, job = started(succeed, ArtifactCredentials="Inherit")
    execution.run(with_artifacts(job, outputs=()))
    assert server.events[0]["data"]["artifactCredentials"] == {
        "accessKeyId": "AKIATESTTESTTEST",
        "secretAccessKey": "planted-secret-access-key",
        "sessionToken": "",
    }


@pytest.mark.parametrize(
    ("content", "why"), [(None, "wrote no output artifact"), (b"text", "is no zip")]
)
def test_an_output_artifact_must_be_there(
    started: Started, content: bytes | None, why: str
) -> None:
    _, job = started(succeed)
    if content:
        job.objects.stored["Out.zip"] = content
    error = failure_of(with_artifacts(job))
    assert error.code == "JobFailed"
    assert why in error.message


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"jobId": "11111111-1111-1111-1111-111111111111"}, "JobNotFoundException"),
        ({"outputVariables": {"a b": "1"}}, "ValidationException"),
        ({"outputVariables": {"a": "1"}, "continuationToken": "t"}, "ValidationException"),
        ({"continuationToken": "t" * 2049}, "ValidationException"),
    ],
)
def test_answers_that_do_not_count_are_refused_by_name(
    started: Started, values: Event, code: str
) -> None:
    refused: list[str] = []

    def answer(event: Event) -> None:
        try:
            put(
                {**event, "id": values.get("jobId", event["id"])},
                "put_job_success_result",
                **{k: v for k, v in values.items() if k != "jobId"},
            )
        except ClientError as error:
            refused.append(error.response["Error"]["Code"])
        succeed(event)

    _, job = started(answer)
    assert execution.run(job).summary == "done"
    assert refused == [code]


def test_a_second_answer_is_refused() -> None:
    jobs = Jobs()
    first = jobs.begin()
    jobs.answer(SUCCESS, {"jobId": first, "continuationToken": "t"})
    for _ in range(2):
        with pytest.raises(RefusedError) as caught:
            jobs.answer(
                FAILURE, {"jobId": first, "failureDetails": {"type": "JobFailed", "message": "m"}}
            )
        assert caught.value.code == "InvalidJobStateException"
        jobs.begin()


def test_strangers_learn_and_change_nothing(started: Started) -> None:
    import urllib3

    statuses: list[int] = []
    pool = urllib3.PoolManager(retries=False, timeout=5)
    target = {"X-Amz-Target": "CodePipeline_20150709.PutJobSuccessResult"}

    def attack(event: Event) -> None:
        url = event["endpoint"]
        statuses.append(pool.request("GET", url).status)
        statuses.append(pool.request("POST", url, body=b"{}").status)
        statuses.append(pool.request("POST", url, body=b"[" * 100_000, headers=target).status)
        statuses.append(pool.request("POST", url, body=b'{"jobId": ["x"]}', headers=target).status)
        statuses.append(
            pool.request("POST", url, headers={**target, "Content-Length": "1" * 30}).status
        )
        succeed(event)

    _, job = started(attack)
    assert execution.run(job).summary == "done"
    assert statuses == [501, 400, 400, 400, 400]


def test_a_client_that_sends_a_byte_at_a_time_is_cut_off(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.actions.lambda_function.endpoint._REQUEST_S", 0.3)

    def drip(event: Event) -> None:
        host, port = event["endpoint"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.settimeout(0.05)
            is_open = True
            while is_open:
                try:
                    client.sendall(b"P")
                    is_open = client.recv(1) != b""
                except TimeoutError:
                    continue
                except OSError:
                    is_open = False
        succeed(event)

    _, job = started(drip)
    assert execution.run(job).summary == "done"


def test_the_endpoint_ends_with_the_action(started: Started) -> None:
    server, job = started(succeed)
    outcome: Outcome = execution.run(job)
    assert outcome.summary
    deadline = time.monotonic() + 5
    with pytest.raises(Exception, match="Could not connect"):
        while time.monotonic() < deadline:
            succeed(server.events[0])
