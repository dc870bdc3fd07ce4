"""CodeBuild (P-10..P-13): runs buildspec phases in the action's container and stores artifacts."""

import re
from collections.abc import Mapping

from penstock.actions.codebuild.artifacts import find, names_in, references
from penstock.actions.codebuild.buildspec import Artifacts, Buildspec, parse
from penstock.actions.codebuild.buildspec_yaml import BYTES, YAML_ERROR, is_inline
from penstock.actions.codebuild.environment import build_id, environment
from penstock.actions.codebuild.outside import check
from penstock.actions.codebuild.phases import NO_BASH, render
from penstock.actions.codebuild.reports import collect, first_failed
from penstock.actions.codebuild.source import read
from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    ActionError,
    Job,
    Outcome,
    Program,
    ProgramEnd,
)
from penstock.api.contract.contracts import Build
from penstock.artifacts.errors import ArtifactError

FAILED = "Build terminated with state: FAILED"
# So much of a command tells which one it was, and leaves room for why it failed.
_SHOWN = 160
_FAILURE = re.compile(r"failed (\w+):(commands|finally):(\d{1,5}) (\d{1,3})")


def run(job: Job) -> Outcome:
    """Run the build; artifacts are stored once BUILD was reached, also when it failed (B-25)."""
    build = job.request.build
    if build is None:
        raise ActionError(CONFIGURATION_ERROR, "the request names no BuildProject")
    job.report_external_execution(build_id(job.request, build))
    buildspec = parse(_text_of(job, build))
    for path in buildspec.ignored:
        job.log(f"[Container] Warning: {path} is no key of a buildspec; it is ignored")
    for remark in buildspec.remarks:
        job.log(f"[Container] {remark}")
    # Paths of artifacts may name variables, and only the program knows their last values.
    kept = tuple(dict.fromkeys((*buildspec.exported, *sorted(_referenced(buildspec)))))
    check(buildspec, job.source)
    text = render(buildspec, job.container.program, job.container.report, job.source, kept)
    ended = job.container.run_program(
        Program(text, environment(job, build, buildspec.variables), kept)
    )
    notes = ended.notes.splitlines()
    if "begin BUILD" in notes:
        collect(job, buildspec, ended.variables)
    failure = _failure(buildspec, ended, notes, first_failed(job.reports.stored))
    if "begin BUILD" in notes:
        try:
            _store(job, buildspec, ended.variables)
        except (ActionError, ArtifactError) as error:
            # What failed in the build comes before what could not be packed after it.
            raise failure or ActionError(error.code, f"{FAILED}: {error.message}") from error
    if failure:
        raise failure
    exported = {
        name: ended.variables[name]
        for name in buildspec.exported
        if _is_exported(name, ended.variables)
    }
    return Outcome(variables=exported, exit_code=0)


def _is_exported(name: str, values: Mapping[str, str]) -> bool:
    """Whether a variable becomes an output: it has a value and is not AWS's own (B-14)."""
    return name in values and not name.startswith("AWS_")


def _referenced(buildspec: Buildspec) -> set[str]:
    """Return the variables that paths and names of reports refer to."""
    artifacts = [item for item in (buildspec.artifacts, *buildspec.secondary.values()) if item]
    groups = buildspec.reports
    return names_in(*artifacts, *(group.files for group in groups)) | references(
        *(group.name for group in groups)
    )


def _text_of(job: Job, build: Build) -> str:
    """Return the buildspec: inline YAML as is, else a source file (B-01), never through a link."""
    wanted = (
        job.request.configuration.get("BuildspecOverride") or build.buildspec or "buildspec.yml"
    )
    if is_inline(wanted):
        return wanted
    wanted = wanted.strip()
    if wanted.startswith("arn:"):
        raise ActionError(
            YAML_ERROR,
            f"DOWNLOAD_SOURCE: {wanted}: a buildspec in S3 is not read; put it into the source",
        )
    names = [name for name in wanted.split("/") if name not in ("", ".")]
    if ".." in names or wanted.startswith("/") or not names:
        raise ActionError(YAML_ERROR, f"DOWNLOAD_SOURCE: {wanted} leads out of the source")
    try:
        return read(job.source, names, BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ActionError(YAML_ERROR, f"DOWNLOAD_SOURCE: {wanted} cannot be read: {why}") from error


def _failure(
    buildspec: Buildspec, ended: ProgramEnd, notes: list[str], tests: str
) -> ActionError | None:
    # Code 0 alone proves nothing: the program notes its own end as its last step.
    if ended.exit_code == 0 and notes[-1:] == ["end"]:
        return None
    if NO_BASH in notes:
        message = "env.shell: the image has no bash; use an image that has, or /bin/sh (B-10)"
        return ActionError(YAML_ERROR, message, ended.exit_code)
    for line in notes:
        # Commands may write notes as well, so only what fits the buildspec is believed.
        if (match := _FAILURE.fullmatch(line)) and match[1] in buildspec.phases:
            phase = buildspec.phases[match[1]]
            commands = phase.commands if match[2] == "commands" else phase.finally_
            command = commands[int(match[3])] if int(match[3]) < len(commands) else ""
            what = (
                f"{match[1].upper()}: Command failed with exit code {match[4]}: "
                f"{_shown(command)}{tests}"
            )
            return ActionError(JOB_FAILED, f"{FAILED}: {what}", ended.exit_code)
    what = f"the shell ended with exit code {ended.exit_code}{tests}"
    return ActionError(JOB_FAILED, f"{FAILED}: {what}", ended.exit_code)


def _shown(command: str) -> str:
    """Return a command for a message: its first line, cut so that later text stays readable."""
    first, _, more = command.strip().partition("\n")
    return f"{first[:_SHOWN]}…" if more or len(first) > _SHOWN else first


def _store(job: Job, buildspec: Buildspec, values: Mapping[str, str]) -> None:
    orders = job.request.outputs
    for order in orders:
        wanted: Artifacts | None = buildspec.secondary.get(order.name)
        if wanted is None and len(orders) == 1:
            wanted = buildspec.artifacts
        if wanted is None:
            message = (
                f"UPLOAD_ARTIFACTS: the buildspec has no artifacts for the output artifact "
                f'"{order.name}" (P-11)'
            )
            raise ActionError(JOB_FAILED, message)
        files = find(wanted, job.source, values, job.request.limits.artifact_entries, job.log)
        job.outputs.store_files(order.name, files)
