"""Uploads a template's local code and names the uploads, like ``aws cloudformation package``.

Local is what is no URI: a path from the template's own folder. It comes from a source that is not
trusted, so it must stay in the artifact, whatever links there are.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from penstock.actions import artifact_files
from penstock.actions.cloudformation.templates import (
    Node,
    Template,
    get,
    items,
    parse,
    put,
    render,
    text_of,
)
from penstock.actions.cloudformation.uploads import Uploaded, Uploads
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job

# The most that CloudFormation takes of a template in S3.
TEMPLATE_BYTES = 1024 * 1024
# How deep templates may name each other: one that names itself ends here.
_DEPTH = 10
# ``s3://``, ``https://``, ``arn:``: a name of something elsewhere.
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class _Place(NamedTuple):
    """A property that may name something local. ``kind`` is zip, file or template."""

    path: tuple[str, ...]
    kind: str
    form: Callable[[Uploaded], str | dict[str, str]]


def _uri(uploaded: Uploaded) -> str:
    return uploaded.uri


def _url(uploaded: Uploaded) -> str:
    return uploaded.url


def _lambda(uploaded: Uploaded) -> dict[str, str]:
    return {"S3Bucket": uploaded.bucket, "S3Key": uploaded.key}


def _object(uploaded: Uploaded) -> dict[str, str]:
    return {"Bucket": uploaded.bucket, "Key": uploaded.key}


_APPSYNC = tuple(
    _Place((name,), "file", _uri)
    for name in (
        "RequestMappingTemplateS3Location",
        "ResponseMappingTemplateS3Location",
        "CodeS3Location",
    )
)
_PLACES: Mapping[str, tuple[_Place, ...]] = {
    "AWS::Serverless::Function": (_Place(("CodeUri",), "zip", _uri),),
    "AWS::Serverless::LayerVersion": (_Place(("ContentUri",), "zip", _uri),),
    "AWS::Serverless::Api": (_Place(("DefinitionUri",), "file", _uri),),
    "AWS::Serverless::HttpApi": (_Place(("DefinitionUri",), "file", _uri),),
    "AWS::Serverless::StateMachine": (_Place(("DefinitionUri",), "file", _uri),),
    "AWS::Serverless::GraphQLApi": (_Place(("SchemaUri",), "file", _uri),),
    "AWS::Serverless::Application": (_Place(("Location",), "template", _url),),
    "AWS::Lambda::Function": (_Place(("Code",), "zip", _lambda),),
    "AWS::Lambda::LayerVersion": (_Place(("Content",), "zip", _lambda),),
    "AWS::ElasticBeanstalk::ApplicationVersion": (_Place(("SourceBundle",), "zip", _lambda),),
    "AWS::ApiGateway::RestApi": (_Place(("BodyS3Location",), "file", _object),),
    "AWS::ApiGatewayV2::Api": (_Place(("BodyS3Location",), "file", _object),),
    "AWS::StepFunctions::StateMachine": (_Place(("DefinitionS3Location",), "file", _object),),
    "AWS::AppSync::GraphQLSchema": (_Place(("DefinitionS3Location",), "file", _uri),),
    "AWS::AppSync::Resolver": _APPSYNC,
    "AWS::AppSync::FunctionConfiguration": _APPSYNC,
    "AWS::Glue::Job": (_Place(("Command", "ScriptLocation"), "file", _uri),),
    "AWS::CodeCommit::Repository": (_Place(("Code", "S3"), "zip", _object),),
    "AWS::CloudFormation::ModuleVersion": (_Place(("ModulePackage",), "zip", _uri),),
    "AWS::CloudFormation::ResourceVersion": (_Place(("SchemaHandlerPackage",), "zip", _uri),),
    "AWS::CloudFormation::Stack": (_Place(("TemplateURL",), "template", _url),),
    "AWS::CloudFormation::StackSet": (_Place(("TemplateURL",), "template", _url),),
}
_GLOBALS = ("Function", "Api", "HttpApi", "LayerVersion", "StateMachine")
_METADATA = "AWS::ServerlessRepo::Application"
_LICENCES = (_Place(("LicenseUrl",), "file", _uri), _Place(("ReadmeUrl",), "file", _uri))


def package(job: Job, template_path: str, uploads: Uploads | None = None) -> str:
    """Return the text of the template ``Artifact::file`` with its local code uploaded.

    A template that names nothing local is returned as it is. Raise
    ActionError, with the resource and its property, for what is not there or
    leads out of the artifact, and where there is no bucket for it.
    """
    file = artifact_files.locate(job.inputs, "configuration.TemplatePath", template_path)
    artifact = template_path.partition("::")[0] if "::" in template_path else next(iter(job.inputs))
    root = Path(os.path.realpath(job.inputs[artifact]))
    return _Packager(root, uploads or Uploads(job)).text(file, template_path)


class _Packager:
    """Packages the templates of one artifact."""

    def __init__(self, root: Path, uploads: Uploads) -> None:
        self._root = root
        self._uploads = uploads

    def text(self, file: Path, name: str, above: tuple[Path, ...] = ()) -> str:
        """Return a template's text, packaged; ``above`` are those that it is nested in."""
        if file in above or len(above) >= _DEPTH:
            raise _problem(name, f"nested in itself, or deeper than {_DEPTH} templates")
        template = parse(_read(file, name), name)
        is_changed = False
        for parent, place, what in _places(template):
            local = text_of(get(parent, *place.path))
            if local is None or _REMOTE.match(local):
                continue
            path = self._inside(file.parent, local, place, f"{name}: {what}.{'.'.join(place.path)}")
            put(
                parent,
                place.path,
                place.form(self._upload(path, place, f"{name}: {what}", (*above, file))),
            )
            is_changed = True
        return render(template) if is_changed else template.text

    def _upload(self, path: Path, place: _Place, what: str, above: tuple[Path, ...]) -> Uploaded:
        if place.kind == "template":
            name = str(path.relative_to(self._root))
            return self._uploads.text(self.text(path, name, above), ".template", what)
        if place.kind == "zip":
            return self._uploads.zip(path, what)
        return self._uploads.file(path, what)

    def _inside(self, folder: Path, local: str, place: _Place, what: str) -> Path:
        path = Path(os.path.realpath(folder / local))
        if not path.is_relative_to(self._root):
            raise _problem(what, f'"{local}" is outside of the artifact')
        if not path.exists():
            raise _problem(
                what, f'there is no "{local}" in the artifact, seen from the template\'s folder'
            )
        if place.kind != "zip" and not path.is_file():
            raise _problem(what, f'"{local}" is a folder, and a file is wanted')
        return path


def _places(template: Template) -> Iterator[tuple[Node, _Place, str]]:
    """Yield each property that may name something local: node above, place, name for errors."""
    for name, resource in items(get(template.root, "Resources")):
        properties = get(resource, "Properties")
        if properties is not None:
            for place in _PLACES.get(text_of(get(resource, "Type")) or "", ()):
                yield properties, place, f"Resources.{name}.Properties"
    for name in _GLOBALS:
        section = get(template.root, "Globals", name)
        if section is not None:
            for place in _PLACES[f"AWS::Serverless::{name}"]:
                yield section, place, f"Globals.{name}"
    metadata = get(template.root, "Metadata", _METADATA)
    if metadata is not None:
        for place in _LICENCES:
            yield metadata, place, f"Metadata.{_METADATA}"
    for node in _includes(template.root):
        yield node, _Place(("Parameters", "Location"), "file", _uri), "AWS::Include"


def _includes(root: Node) -> Iterator[Node]:
    """Yield every ``AWS::Include``, at any place; look at a node that aliases repeat only once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if text_of(get(node, "Name")) == "AWS::Include":
            yield node
        waiting += (
            node.value
            if isinstance(node, yaml.SequenceNode)
            else [value for _, value in node.value]
        )


def _read(file: Path, name: str) -> str:
    with file.open("rb") as opened:
        data = opened.read(TEMPLATE_BYTES + 1)
    if len(data) > TEMPLATE_BYTES:
        raise _problem(name, f"larger than {TEMPLATE_BYTES} bytes, the limit of CloudFormation")
    try:
        # Editors of Windows begin a text with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _problem(name, "not UTF-8") from error


def _problem(name: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{name}: {why}")
