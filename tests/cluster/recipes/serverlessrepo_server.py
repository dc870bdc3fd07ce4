"""The Serverless Application Repository for tests, since no emulator has it: some of its
operations, in memory.

Requests to other services go on to another server, so that one endpoint is all of AWS.

What it takes and what it answers is checked against botocore's own model of the service, so it can
be wrong about the service's behaviour but not about its shapes. The access key tells what becomes
of a request: ``denied`` and ``expired`` are refused, ``throttled-NAME`` twice before it is served,
all others are served at once.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore.session
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

ACCOUNT = "123456789012"
_OPERATIONS = (
    "CreateApplication",
    "CreateApplicationVersion",
    "GetApplication",
    "ListApplications",
    "ListApplicationVersions",
    "UpdateApplication",
)
_STATUS = {
    "BadRequestException": 400,
    "ConflictException": 409,
    "ExpiredTokenException": 403,
    "ForbiddenException": 403,
    "NotFoundException": 404,
    "TooManyRequestsException": 429,
    "UnknownOperationException": 404,
}
_TIME = "2026-01-01T00:00:00Z"
_PAGE = 2
_HOP_BY_HOP = {
    "connection",
    "content-length",
    "date",
    "expect",
    "keep-alive",
    "server",
    "transfer-encoding",
}
Document = dict[str, Any]


class Refused(Exception):
    """An error of the service."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Repository:
    """Applications by id, each with its versions by number."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._applications: dict[str, Document] = {}
        self._versions: dict[str, dict[str, Document]] = {}
        self._lock = Lock()

    def call(self, operation: str, given: Document) -> Document:
        """Do what an operation does."""
        with self._lock:
            found: Document = getattr(self, re.sub("(?<!^)(?=[A-Z])", "_", operation).lower())(
                given
            )
            return found

    def create_application(self, given: Document) -> Document:
        application_id = (
            f"arn:aws:serverlessrepo:{self._region}:{ACCOUNT}:applications/{given['Name']}"
        )
        if application_id in self._applications:
            raise Refused(
                "ConflictException", f"Application with id {application_id} already exists"
            )
        if given.get("SemanticVersion") and not (
            given.get("TemplateBody") or given.get("TemplateUrl")
        ):
            raise Refused("BadRequestException", "SemanticVersion needs a template")
        named = (
            "Author",
            "Description",
            "HomePageUrl",
            "Labels",
            "LicenseUrl",
            "Name",
            "ReadmeUrl",
            "SpdxLicenseId",
        )
        about = {key: given[key] for key in named if key in given}
        self._applications[application_id] = {
            "ApplicationId": application_id,
            "CreationTime": _TIME,
            **about,
        }
        self._versions[application_id] = {}
        if given.get("SemanticVersion"):
            self._add(application_id, given)
        return self._shown(application_id)

    def create_application_version(self, given: Document) -> Document:
        self._known(given)
        return self._add(given["ApplicationId"], given)

    def update_application(self, given: Document) -> Document:
        self._known(given).update(
            {key: value for key, value in given.items() if key != "ReadmeBody"}
        )
        return self._shown(given["ApplicationId"])

    def get_application(self, given: Document) -> Document:
        self._known(given)
        return self._shown(given["ApplicationId"], given.get("SemanticVersion"))

    def list_applications(self, given: Document) -> Document:
        first = int(given.get("NextToken", "0"))
        found = sorted(
            self._applications.values(), key=lambda application: str(application["Name"])
        )
        named = ("ApplicationId", "Author", "Description", "Name")
        page = [{key: item[key] for key in named} for item in found[first : first + _PAGE]]
        more = {"NextToken": str(first + _PAGE)} if len(found) > first + _PAGE else {}
        return {"Applications": page, **more}

    def list_application_versions(self, given: Document) -> Document:
        self._known(given)
        named = ("ApplicationId", "CreationTime", "SemanticVersion")
        versions = self._versions[given["ApplicationId"]].values()
        return {"Versions": [{key: version[key] for key in named} for version in versions]}

    def _known(self, given: Document) -> Document:
        if given["ApplicationId"] not in self._applications:
            raise Refused("NotFoundException", f"There is no application {given['ApplicationId']}")
        return self._applications[given["ApplicationId"]]

    def _add(self, application_id: str, given: Document) -> Document:
        number = given["SemanticVersion"]
        if number in self._versions[application_id]:
            raise Refused(
                "ConflictException", f"Version {number} of {application_id} already exists"
            )
        version = {
            "ApplicationId": application_id, "CreationTime": _TIME, "ParameterDefinitions": [],
            "RequiredCapabilities": [], "ResourcesSupported": True, "SemanticVersion": number,
            "TemplateUrl": given.get("TemplateUrl") or f"https://templates.invalid/{number}",
            **({"SourceCodeUrl": given["SourceCodeUrl"]} if "SourceCodeUrl" in given else {}),
        }  # fmt: skip
        self._versions[application_id][number] = version
        return version

    def _shown(self, application_id: str, number: str | None = None) -> Document:
        versions = self._versions[application_id]
        if number and number not in versions:
            raise Refused("NotFoundException", f"There is no version {number}")
        latest = versions[number] if number else next(reversed(versions.values()), None)
        return {**self._applications[application_id], **({"Version": latest} if latest else {})}


class Model:
    """botocore's model of the service: which operation a request is, and what its shapes allow."""

    def __init__(self) -> None:
        service = botocore.session.get_session().get_service_model("serverlessrepo")
        self._operations = [service.operation_model(name) for name in _OPERATIONS]

    def find(self, method: str, path: str) -> tuple[OperationModel, dict[str, str]]:
        """Return the operation of a request and what its path says."""
        for operation in self._operations:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.http["requestUri"])
            if operation.http["method"] == method and (found := re.fullmatch(pattern, path)):
                return operation, {
                    name: unquote(value) for name, value in found.groupdict().items()
                }
        raise Refused("UnknownOperationException", f"{method} {path}")

    @staticmethod
    def read(operation: OperationModel, named: dict[str, str], body: bytes) -> Document:
        """Return an operation's input by its members' names; raise Refused
        for what its shape does not allow.
        """
        document = json.loads(body or b"{}")
        given: Document = {}
        for name, shape in operation.input_shape.members.items():
            wire = shape.serialization.get("name", name)
            source = (
                named if shape.serialization.get("location") in ("uri", "querystring") else document
            )
            if wire in source:
                given[name] = int(source[wire]) if shape.type_name == "integer" else source[wire]
        Model.check(given, operation.input_shape)
        return given

    @staticmethod
    def check(document: Document, shape: Shape) -> None:
        """Raise Refused for what a shape does not allow."""
        report = ParamValidator().validate(document, shape)
        if report.has_errors():
            raise Refused("BadRequestException", report.generate_report())

    @staticmethod
    def write(document: Any, shape: Shape) -> Any:
        """Return a checked output in the spelling of the wire."""
        if shape.type_name == "structure":
            members = shape.members
            return {
                members[key].serialization.get("name", key): Model.write(value, members[key])
                for key, value in document.items()
            }
        if shape.type_name == "list":
            return [Model.write(item, shape.member) for item in document]
        return document


class Handler(BaseHTTPRequestHandler):
    """Serves a repository; requests to other services go on to ``upstream``,
    host:port, if there is one.
    """

    model: ClassVar[Model]
    repository: ClassVar[Repository]
    throttled: ClassVar[Counter[str]]
    upstream: ClassVar[str]
    timeout = 20
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            return self._send(200, {})
        return self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.upstream and not self.path.startswith("/applications"):
            return self._pass_on(body)
        try:
            url = urlsplit(self.path)
            operation, named = self.model.find(self.command, url.path)
            self._admit(operation.name)
            given = self.model.read(operation, {**named, **dict(parse_qsl(url.query))}, body)
            answer = self.repository.call(operation.name, given)
            self.model.check(answer, operation.output_shape)
            self._send(
                operation.http["responseCode"], self.model.write(answer, operation.output_shape)
            )
        except Refused as error:
            document = {"message": error.message, "errorCode": error.code}
            self._send(_STATUS[error.code], document, {"x-amzn-ErrorType": error.code})

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _pass_on(self, body: bytes) -> None:
        connection = HTTPConnection(self.upstream, timeout=120)
        try:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _HOP_BY_HOP
            }
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    def _admit(self, operation: str) -> None:
        found = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        key = found[1] if found else ""
        if key in ("", "denied"):
            raise Refused(
                "ForbiddenException",
                f"User is not authorized to perform: serverlessrepo:{operation}",
            )
        if key == "expired":
            raise Refused(
                "ExpiredTokenException", "The security token included in the request is expired"
            )
        self.throttled[key] += 1
        if key.startswith("throttled") and self.throttled[key] <= 2:
            raise Refused("TooManyRequestsException", "Rate exceeded")

    def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def serve(address: str, port: int, region: str, upstream: str = "") -> ThreadingHTTPServer:
    """Return a server that is bound and not yet running; ``upstream`` is
    host:port of the server for all else.
    """
    state = {
        "model": Model(),
        "repository": Repository(region),
        "throttled": Counter(),
        "upstream": upstream,
    }
    return ThreadingHTTPServer((address, port), type("Repository", (Handler,), state))


if __name__ == "__main__":
    serve("0.0.0.0", int(sys.argv[1]), *sys.argv[2:]).serve_forever()
