"""Reads a buildspec (B-01..B-08, B-10..B-18, B-20..B-33, B-40..B-50) within size limits.

It has limits because it comes from the source.

What CodeBuild has and this version has not is refused by name. A key that is no part of the format
(B-03) is ignored, as builds that run on AWS have such keys, and named in the log. An alias stands
for the same object, so it costs nothing to read; what all commands say together has a limit.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.yaml_documents import DocumentBounds, Rules, YamlError, documents
from penstock.api.contract.contracts import NOTHING
from penstock.api.text import shorten

BYTES = 256 * 1024
_COMMAND_CHARACTERS = 1024 * 1024
_MESSAGE = 1000
_BOUNDS = DocumentBounds(200_000, 16 * 1024 * 1024)
_RULES = Rules(lambda scalar: scalar.text, lambda scalar: scalar.text)
"""Every scalar stays the text that was written: 0.2, 3.10 and yes keep their form.

A map's own keys come before the keys that it merges (<<).
"""
YAML_ERROR = "YAML_FILE_ERROR"
PHASES = ("install", "pre_build", "build", "post_build")
_LATER = {
    "run-as": "B-06", "proxy": "B-16", "batch": "B-60",
    "parameter-store": "B-12", "secrets-manager": "B-12", "git-credential-helper": "B-15",
}  # fmt: skip
_VERSIONS = ("0.2", "0.1")
_ENV_KEYS = ("shell", "variables", "exported-variables")
_TOP_KEYS = ("version", "env", "environment_variables", "phases", "reports", "artifacts", "cache")
JUNIT = "JUNITXML"
_OTHER_FORMATS = (
    "CUCUMBERJSON", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX",
    "CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV",
)  # fmt: skip
_REPORT_KEYS = ("files", "base-directory", "discard-paths", "file-format")
_REPORT_GROUPS = 5
_FALSE = ("no", "false")
_EMPTY = ("", "~", "null")


class Phase(NamedTuple):
    """One phase: its commands, those that run in any case, and what a failure leads to."""

    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    on_failure: str = ""
    has_runtimes: bool = False


class Artifacts(NamedTuple):
    """Which files make an artifact."""

    files: tuple[str, ...]
    base_directory: str = ""
    exclude_paths: tuple[str, ...] = ()
    discard_paths: bool = False
    keeps_links: bool = False
    """Whether links are kept as links (enable-symlinks); else what they lead to is taken (B-42)."""


class ReportGroup(NamedTuple):
    """The JUnit XML files with a test group's results (B-50); not flattened, so none is lost."""

    name: str
    files: Artifacts


class Buildspec(NamedTuple):
    """A buildspec, as far as this version acts on it."""

    phases: Mapping[str, Phase]
    variables: Mapping[str, str] = NOTHING
    exported: tuple[str, ...] = ()
    shell: str = "sh"
    has_one_shell: bool = True
    """Whether all commands share one shell; in version 0.1 each has its own (B-05)."""
    artifacts: Artifacts | None = None
    secondary: Mapping[str, Artifacts] = MappingProxyType({})
    reports: tuple[ReportGroup, ...] = ()
    ignored: tuple[str, ...] = ()
    """Paths of keys that no buildspec has."""
    remarks: tuple[str, ...] = ()
    """What of it has no effect here, and why."""


def parse(text: str) -> Buildspec:
    """Return the buildspec; raise ActionError with the path of a key that is wrong."""
    read = _map(_document(text), "buildspec", _TOP_KEYS)
    top = {
        key: None if isinstance(value, str) and value in _EMPTY else value
        for key, value in read.items()
    }
    version = top.get("version")
    if version not in _VERSIONS:
        raise _error(f"version {version!r} is not supported, 0.2 and 0.1 are")
    if version != "0.1" and "environment_variables" in top:
        raise _error(
            "environment_variables is a key of version 0.1; in 0.2 it is env.variables (B-05)"
        )
    env = _map(top.get("env"), "env", _ENV_KEYS)
    artifacts = _map(top.get("artifacts"), "artifacts", (*_ARTIFACT_KEYS, "secondary-artifacts"))
    secondary = _map(artifacts.get("secondary-artifacts"), "artifacts.secondary-artifacts")
    return Buildspec(
        phases=_phases(top.get("phases")),
        variables=_variables(top, env),
        exported=_list(env.get("exported-variables"), "env.exported-variables"),
        shell=_shell(env.get("shell") or "sh"),
        has_one_shell=version != "0.1",
        artifacts=_artifacts(artifacts, "artifacts") if artifacts.get("files") else None,
        secondary={
            name: _artifacts(value, f"artifacts.secondary-artifacts.{name}")
            for name, value in secondary.items()
        },
        reports=_reports(top.get("reports")),
        ignored=tuple(_ignored(top)),
        remarks=tuple(_remarks(top)),
    )


def _remarks(top: Mapping[str, Any]) -> Iterator[str]:
    if not _asks_for_nothing(top.get("cache")):
        yield "cache is ignored: the project has no cache (B-52)"
    if any(
        "run-as" in part
        for part in (top, *(top.get("phases") or {}).values())
        if isinstance(part, dict)
    ):
        yield "run-as: root is the default; commands run as the user of the image (B-06)"


def _ignored(top: Mapping[str, Any]) -> Iterator[str]:
    phases = top.get("phases") or {}
    parts = {"": (top, _TOP_KEYS), "env.": (top.get("env"), _ENV_KEYS)}
    parts |= {f"phases.{name}.": (phases.get(name), _phase_keys(name)) for name in PHASES}
    parts["artifacts."] = (top.get("artifacts"), (*_ARTIFACT_KEYS, "secondary-artifacts"))
    parts |= {
        f"reports.{name}.": (group, _REPORT_KEYS)
        for name, group in (top.get("reports") or {}).items()
    }
    for path, (part, known) in parts.items():
        if isinstance(part, dict):
            strange = (key for key in part if key not in known and key != "run-as")
            yield from (
                f"{path}{key}"
                for key in strange
                if key not in _LATER or not _asks_for_nothing(part[key])
            )


def _document(text: str) -> Any:
    if len(text.encode("utf-8", "replace")) > BYTES:
        raise _error(f"the buildspec is larger than {BYTES} bytes")
    try:
        found = list(documents(text, _RULES, _BOUNDS))
    except YamlError as error:
        raise _error(" ".join(str(error).split())[:300]) from error
    if len(found) > 1:
        raise _error("it is one YAML document; there are more")
    return found[0] if found else None


def is_inline(text: str) -> bool:
    """Whether a text is a buildspec, not its path (bug 04): it is a map, or begins like one."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return True
    try:
        found = list(documents(text, _RULES, _BOUNDS))
    except YamlError:
        return "\n" in text.strip()
    return any(isinstance(document, dict) for document in found)


def _variables(top: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, str]:
    old = _map(top.get("environment_variables"), "environment_variables", ("plaintext",))
    places = {
        "env.variables": env.get("variables"),
        "environment_variables.plaintext": old.get("plaintext"),
    }
    return {
        name: _text(value, f"{path}.{name}")
        for path, document in places.items()
        for name, value in _map(document, path).items()
    }


def _shell(text: Any) -> str:
    if text not in ("sh", "/bin/sh", "bash", "/bin/bash"):
        raise _error(f"env.shell: {text!r} is not supported, bash and /bin/sh are (B-10)")
    return "bash" if text.endswith("bash") else "sh"


def _phases(document: Any) -> dict[str, Phase]:
    found = _map(document, "phases")
    if not found:
        raise _error("phases are missing")
    for name in found:
        if name not in PHASES:
            raise _error(
                f"phases.{name} is no phase of a build; these are {', '.join(PHASES)} (B-20)"
            )
    phases = {name: _phase(name, found.get(name)) for name in PHASES}
    length = sum(
        len(text) for phase in phases.values() for text in (*phase.commands, *phase.finally_)
    )
    if length > _COMMAND_CHARACTERS:
        raise _error(f"the commands hold {length} characters, more than {_COMMAND_CHARACTERS}")
    return phases


def _phase(name: str, document: Any) -> Phase:
    path = f"phases.{name}"
    found = _map(document, path, _phase_keys(name))
    on_failure = _text(found.get("on-failure") or "", f"{path}.on-failure")
    if on_failure not in ("", "ABORT", "CONTINUE"):
        raise _error(
            f"{path}.on-failure: {on_failure} is not supported, ABORT and CONTINUE are (B-27..B-29)"
        )
    if found and name != "install" and not {"commands", "finally"} & found.keys():
        raise _error(f"{path}.commands are missing (B-21)")
    return Phase(
        _commands(found.get("commands"), f"{path}.commands"),
        _commands(found.get("finally"), f"{path}.finally"),
        on_failure,
        "runtime-versions" in found,
    )


def _phase_keys(name: str) -> tuple[str, ...]:
    return (
        "commands",
        "finally",
        "on-failure",
        *(("runtime-versions",) if name == "install" else ()),
    )


def _commands(document: Any, path: str) -> tuple[str, ...]:
    """Return the commands; an item that is nothing but a comment is none."""
    return tuple(text for text in _list(document, path) if text.strip())


_ARTIFACT_KEYS = (
    "files", "base-directory", "exclude-paths", "discard-paths", "name", "s3-prefix", "type",
    "enable-symlinks",
)  # fmt: skip


def _artifacts(document: Any, path: str) -> Artifacts:
    found = _map(
        document,
        path,
        (*_ARTIFACT_KEYS, *(("secondary-artifacts",) if path == "artifacts" else ())),
    )
    files = _list(found.get("files"), f"{path}.files")
    if not files:
        raise _error(f"{path}.files are missing (B-40)")
    return Artifacts(
        files,
        _text(found.get("base-directory") or "", f"{path}.base-directory"),
        _list(found.get("exclude-paths"), f"{path}.exclude-paths"),
        _is_true(found.get("discard-paths"), f"{path}.discard-paths"),
        _is_true(found.get("enable-symlinks"), f"{path}.enable-symlinks"),
    )


def _reports(document: Any) -> tuple[ReportGroup, ...]:
    found = _map(document, "reports")
    if len(found) > _REPORT_GROUPS:
        raise _error(f"reports: {len(found)} groups, at most {_REPORT_GROUPS} are allowed (B-50)")
    return tuple(_report_group(name, value) for name, value in found.items())


def _report_group(name: str, document: Any) -> ReportGroup:
    path = f"reports.{name}"
    found = _map(document, path)
    wanted = _text(found.get("file-format") or JUNIT, f"{path}.file-format")
    if wanted.upper() in _OTHER_FORMATS:
        message = f"{path}.file-format: {wanted} is not supported yet (B-50); {JUNIT} is"
        raise ActionError(CONFIGURATION_ERROR, message)
    if wanted.upper() != JUNIT:
        raise _error(f"{path}.file-format: {wanted} is no report format; {JUNIT} is (B-50)")
    files = _artifacts({key: value for key, value in found.items() if key != "file-format"}, path)
    return ReportGroup(name.rpartition(":report-group/")[2], files._replace(discard_paths=False))


def _map(document: Any, path: str, allowed: tuple[str, ...] | None = None) -> dict[str, Any]:
    if document is None or document in _EMPTY:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise _error(f"{path} is not a map")
    for key in document:
        is_later = allowed is not None and key not in allowed and key in _LATER
        is_root = key == "run-as" and document[key] == "root"
        if is_later and not is_root and not _asks_for_nothing(document[key]):
            raise ActionError(
                CONFIGURATION_ERROR, f"{path}.{key} is not supported yet ({_LATER[key]}); remove it"
            )
    return document


def _asks_for_nothing(value: Any) -> bool:
    """Whether a section is there and empty, or says no to everything."""
    if isinstance(value, dict | list):
        return all(map(_asks_for_nothing, value.values() if isinstance(value, dict) else value))
    return value is None or str(value).lower() in (*_EMPTY, *_FALSE)


def _list(document: Any, path: str) -> tuple[str, ...]:
    """Return a list of texts; one text stands for a list of it (B-40)."""
    if document is None or document in _EMPTY:
        return ()
    if isinstance(document, str):
        return (document,)
    if not isinstance(document, list):
        raise _error(f"{path} is not a list")
    return tuple(_text(item, f"{path}[{index}]") for index, item in enumerate(document))


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _error(f"{path} is not a text; quote it, as YAML reads a colon and a space as a map")
    return value


def _is_true(value: Any, path: str) -> bool:
    text = str(value or "no").lower()
    if text not in ("yes", "true", *_FALSE):
        raise _error(f"{path} is neither yes nor no")
    return text not in _FALSE


def _error(why: str) -> ActionError:
    return ActionError(YAML_ERROR, shorten(f"DOWNLOAD_SOURCE: {why}", _MESSAGE))
