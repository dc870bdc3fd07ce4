"""Custom actions (P-80..P-84): gives an ActionType's commands their input, reports their results.

The contract with their authors stands in ``operator/docs/custom-actions.md``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote as quote_url

from penstock.actions.custom.contract import (
    EXTERNAL_ID,
    EXTERNAL_URL,
    FAILURE_MESSAGE,
    FAILURE_TYPE,
    PERCENT,
    REVISION,
    REVISION_SUMMARY,
    SUMMARY,
)
from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    FAILURE_TYPES,
    JOB_FAILED,
    ActionError,
    Job,
    Outcome,
    Program,
)
from penstock.actions.quoting import quote
from penstock.api.contract.contracts import SECRETS_DIR, Custom, Revision

# The program's exit code if its values or its folder are missing.
_CANNOT_START = 96
_EXECUTION_ID = "{ExternalExecutionId}"
# As long as CodePipeline's entityUrl may be.
_LONGEST_URL = 2048


def run(job: Job) -> Outcome:
    """Run the commands; raise ActionError with the action's own type and message if one fails."""
    custom = job.request.custom
    if custom is None:
        raise ActionError(CONFIGURATION_ERROR, "the request names no ActionType")
    _require_secrets(job, custom)
    outputs = {order.name: job.outputs.folder(order.name) for order in job.request.outputs}
    program = Program(
        _render(job, custom), _environment(job, custom, outputs), takes_all_variables=True
    )
    try:
        ended = job.container.run_program(program)
    # Its external execution is named whatever became of the action, a timeout included.
    finally:
        job.report_external_execution(
            job.container.read_note(EXTERNAL_ID), _execution_url(job, custom), _percent(job)
        )
    if ended.exit_code:
        raise _failure(job, custom, ended.exit_code, ended.notes)
    for name, folder in outputs.items():
        if not any(folder.iterdir()):
            raise ActionError(
                JOB_FAILED, f'Output artifact "{name}": the action left nothing for it', 0
            )
        job.outputs.store_folder(name, folder)
    summary, revision = job.container.read_note(SUMMARY), _revision(job, custom)
    return Outcome(variables=ended.variables, revision=revision, summary=summary, exit_code=0)


def _require_secrets(job: Job, custom: Custom) -> None:
    for key, name in custom.secrets.items():
        folder = job.secret(key)
        # The kubelet leaves folders of its own where there is no Secret.
        if folder is None or not any(path.is_file() for path in folder.iterdir()):
            where = f"namespace {job.request.attempt.namespace}"
            message = f"configuration.{key}: there is no Secret {name} in {where}, or it is empty"
            raise ActionError(CONFIGURATION_ERROR, message)


def _environment(job: Job, custom: Custom, outputs: Mapping[str, Path]) -> dict[str, str]:
    """Return the environment of the commands; an ActionType cannot take our own names."""
    given = {
        key: value for key, value in job.request.configuration.items() if key not in custom.secrets
    }
    files = [
        job.container.write_file(f"configuration/{key}", value) for key, value in given.items()
    ]
    document = job.container.write_file(
        "configuration.json", json.dumps(given, ensure_ascii=False, indent=1) + "\n"
    )
    ours = {
        "PENSTOCK_PROVIDER": custom.name,
        "PENSTOCK_CONFIGURATION_DIR": str(document.with_name("configuration")),
        "PENSTOCK_CONFIGURATION_FILE": str(document),
        "PENSTOCK_INPUT_DIR": str(job.source.parent),
        "PENSTOCK_RESULT_DIR": str(job.container.report),
        "PENSTOCK_SECRET_DIR": SECRETS_DIR,
        "PENSTOCK_TIMEOUT_SECONDS": str(int(job.remaining())),
    }
    if outputs:
        ours["PENSTOCK_OUTPUT_DIR"] = str(next(iter(outputs.values())).parent)
    # The folder is made with its first file.
    if not files:
        del ours["PENSTOCK_CONFIGURATION_DIR"]
    return {**custom.environment, **ours}


def _render(job: Job, custom: Custom) -> str:
    """Return the program: the commands one by one in one shell, each noted when it begins."""
    lines = [
        f". {quote(str(job.container.program.with_name('values')))} || exit {_CANNOT_START}",
        f"cd {quote(str(job.source))} || exit {_CANNOT_START}",
    ]
    for index, command in enumerate(custom.commands, start=1):
        lines += [
            # A command may have set noclobber, and `>|` writes all the same.
            f"printf '%s' {index} >| {quote(str(job.container.report / 'notes'))}",
            f"eval {quote(command)}",
            'penstock_code=$?; [ "$penstock_code" = 0 ] || exit "$penstock_code"',
        ]
    return "\n".join([*lines, ""])


def _failure(job: Job, custom: Custom, exit_code: int, notes: str) -> ActionError:
    """P-84: the action's own type and message, where it left them."""
    kind, message = job.container.read_note(FAILURE_TYPE), job.container.read_note(FAILURE_MESSAGE)
    if kind and kind not in FAILURE_TYPES:
        job.log(
            f"[penstock] {FAILURE_TYPE} is one of {', '.join(FAILURE_TYPES)} (X-08), not what was "
            f"left there"
        )
        kind = ""
    which = (
        f"command {notes} of {len(custom.commands)} "
        if notes.isdigit() and len(custom.commands) > 1
        else ""
    )
    return ActionError(
        kind or JOB_FAILED,
        message or f"{custom.name}: {which}ended with exit code {exit_code}",
        exit_code,
    )


def _execution_url(job: Job, custom: Custom) -> str:
    given, external = job.container.read_note(EXTERNAL_URL), job.container.read_note(EXTERNAL_ID)
    if given:
        if (
            given.startswith(("https://", "http://"))
            and len(given.split()) == 1
            and len(given) <= _LONGEST_URL
        ):
            return given
        job.log(
            f"[penstock] {EXTERNAL_URL} is ignored: it is no http or https URL of at most "
            f"{_LONGEST_URL} characters"
        )
    return _linked(custom.execution_url, external)


def _linked(template: str, external: str) -> str:
    """Return a link; none where it needs an id that the action did not leave."""
    if _EXECUTION_ID in template and not external:
        return ""
    return template.replace(_EXECUTION_ID, quote_url(external, safe=""))


def _percent(job: Job) -> int | None:
    text = job.container.read_note(PERCENT)
    # Digits of other scripts are digits to Python as well.
    return (
        int(text)
        if text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100
        else None
    )


def _revision(job: Job, custom: Custom) -> Revision | None:
    revision = job.container.read_note(REVISION)
    if not revision:
        return None
    return Revision(
        revision,
        job.container.read_note(REVISION_SUMMARY),
        _linked(custom.revision_url, job.container.read_note(EXTERNAL_ID)),
    )
