"""Reads a buildspec (B-01..B-08, B-10..B-18, B-20..B-33, B-40..B-50) within size limits.

It has limits because it comes from the source.

What CodeBuild has and this version has not is refused by name. A key that is no part of the format
(B-03) is ignored, as builds that run on AWS have such keys, and named in the log. An alias stands
for the same object, so it costs nothing to read; what all commands say together has a limit.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from penstock.actions.codebuild.buildspec_yaml import (
    EMPTY,
    LATER,
    asks_for_nothing,
    document_of,
    error_of,
    is_true,
    map_of,
    text_of,
    texts_of,
)
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.api.contract.contracts import NOTHING

# All commands together stand in one script, which the agent keeps in memory.
_COMMAND_CHARACTERS = 1024 * 1024
PHASES = ("install", "pre_build", "build", "post_build")
_VERSIONS = ("0.2", "0.1")
_ENV_KEYS = ("shell", "variables", "exported-variables")
_TOP_KEYS = ("version", "env", "environment_variables", "phases", "reports", "artifacts", "cache")
JUNIT = "JUNITXML"
_OTHER_FORMATS = (
    "CUCUMBERJSON", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX",
    "CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV",
)  # fmt: skip
_REPORT_KEYS = ("files", "base-directory", "discard-paths", "file-format")
# CodeBuild takes as many report groups of one build.
_REPORT_GROUPS = 5


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
    read = map_of(document_of(text), "buildspec", _TOP_KEYS)
    top = {
        # A section that is written and left empty asks for nothing.
        key: None if isinstance(value, str) and value in EMPTY else value
        for key, value in read.items()
    }
    version = top.get("version")
    if version not in _VERSIONS:
        raise error_of(f"version {version!r} is not supported, 0.2 and 0.1 are")
    if version != "0.1" and "environment_variables" in top:
        raise error_of(
            "environment_variables is a key of version 0.1; in 0.2 it is env.variables (B-05)"
        )
    env = map_of(top.get("env"), "env", _ENV_KEYS)
    artifacts = map_of(top.get("artifacts"), "artifacts", (*_ARTIFACT_KEYS, "secondary-artifacts"))
    secondary = map_of(artifacts.get("secondary-artifacts"), "artifacts.secondary-artifacts")
    return Buildspec(
        phases=_phases(top.get("phases")),
        variables=_variables(top, env),
        exported=texts_of(env.get("exported-variables"), "env.exported-variables"),
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
    if not asks_for_nothing(top.get("cache")):
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
            # `run-as` has a remark of its own.
            strange = (key for key in part if key not in known and key != "run-as")
            yield from (
                f"{path}{key}"
                for key in strange
                if key not in LATER or not asks_for_nothing(part[key])
            )


def _variables(top: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, str]:
    old = map_of(top.get("environment_variables"), "environment_variables", ("plaintext",))
    places = {
        "env.variables": env.get("variables"),
        "environment_variables.plaintext": old.get("plaintext"),
    }
    return {
        name: text_of(value, f"{path}.{name}")
        for path, document in places.items()
        for name, value in map_of(document, path).items()
    }


def _shell(text: Any) -> str:
    if text not in ("sh", "/bin/sh", "bash", "/bin/bash"):
        raise error_of(f"env.shell: {text!r} is not supported, bash and /bin/sh are (B-10)")
    return "bash" if text.endswith("bash") else "sh"


def _phases(document: Any) -> dict[str, Phase]:
    found = map_of(document, "phases")
    if not found:
        raise error_of("phases are missing")
    for name in found:
        if name not in PHASES:
            raise error_of(
                f"phases.{name} is no phase of a build; these are {', '.join(PHASES)} (B-20)"
            )
    phases = {name: _phase(name, found.get(name)) for name in PHASES}
    length = sum(
        len(text) for phase in phases.values() for text in (*phase.commands, *phase.finally_)
    )
    if length > _COMMAND_CHARACTERS:
        raise error_of(f"the commands hold {length} characters, more than {_COMMAND_CHARACTERS}")
    return phases


def _phase(name: str, document: Any) -> Phase:
    path = f"phases.{name}"
    found = map_of(document, path, _phase_keys(name))
    on_failure = text_of(found.get("on-failure") or "", f"{path}.on-failure")
    if on_failure not in ("", "ABORT", "CONTINUE"):
        raise error_of(
            f"{path}.on-failure: {on_failure} is not supported, ABORT and CONTINUE are (B-27..B-29)"
        )
    if found and name != "install" and not {"commands", "finally"} & found.keys():
        raise error_of(f"{path}.commands are missing (B-21)")
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
    return tuple(text for text in texts_of(document, path) if text.strip())


_ARTIFACT_KEYS = (
    "files", "base-directory", "exclude-paths", "discard-paths", "name", "s3-prefix", "type",
    "enable-symlinks",
)  # fmt: skip


def _artifacts(document: Any, path: str) -> Artifacts:
    found = map_of(
        document,
        path,
        (*_ARTIFACT_KEYS, *(("secondary-artifacts",) if path == "artifacts" else ())),
    )
    files = texts_of(found.get("files"), f"{path}.files")
    if not files:
        raise error_of(f"{path}.files are missing (B-40)")
    return Artifacts(
        files,
        text_of(found.get("base-directory") or "", f"{path}.base-directory"),
        texts_of(found.get("exclude-paths"), f"{path}.exclude-paths"),
        is_true(found.get("discard-paths"), f"{path}.discard-paths"),
        is_true(found.get("enable-symlinks"), f"{path}.enable-symlinks"),
    )


def _reports(document: Any) -> tuple[ReportGroup, ...]:
    found = map_of(document, "reports")
    if len(found) > _REPORT_GROUPS:
        raise error_of(f"reports: {len(found)} groups, at most {_REPORT_GROUPS} are allowed (B-50)")
    return tuple(_report_group(name, value) for name, value in found.items())


def _report_group(name: str, document: Any) -> ReportGroup:
    path = f"reports.{name}"
    found = map_of(document, path)
    wanted = text_of(found.get("file-format") or JUNIT, f"{path}.file-format")
    if wanted.upper() in _OTHER_FORMATS:
        message = f"{path}.file-format: {wanted} is not supported yet (B-50); {JUNIT} is"
        raise ActionError(CONFIGURATION_ERROR, message)
    if wanted.upper() != JUNIT:
        raise error_of(f"{path}.file-format: {wanted} is no report format; {JUNIT} is (B-50)")
    files = _artifacts({key: value for key, value in found.items() if key != "file-format"}, path)
    # AWS takes the ARN of a report group in place of its name.
    return ReportGroup(name.rpartition(":report-group/")[2], files._replace(discard_paths=False))
