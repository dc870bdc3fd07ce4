"""What a custom action's commands find, and what becomes of what they leave
(P-80..P-84, X-08, W-29).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.api.contract.contracts import ActionResult, Custom
from tests.unit.agent.pod import LIMITS, SHELLS, Pod, order, request


def custom(*commands: str, configuration: dict[str, str] | None = None, **fields: Any) -> Any:
    wanted = fields.pop("wanted", {})
    return request(
        provider="custom",
        custom=Custom("Script", commands, **fields),
        configuration=configuration or {},
        **wanted,
    )


def left(**files: str) -> str:
    return "; ".join(
        f"printf '%s\\n' '{text}' > \"$PENSTOCK_RESULT_DIR/{name}\"" for name, text in files.items()
    )


def with_secret(tmp_path: Path, value: str) -> dict[str, Any]:
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "token").write_text(value)
    return {"secrets": {"Token": "login"}, "wanted": {"secrets": {"Token": str(folder)}}}


@pytest.mark.parametrize("shell", SHELLS)
def test_p_83_action_reports_variables_summary_link_and_revision(
    tmp_path: Path, shell: str
) -> None:
    result = Pod(tmp_path, SHELLS[shell]).run(
        custom(
            'cd /; VERSION=$(cat "$PENSTOCK_CONFIGURATION_DIR/Version")',
            'echo "$VERSION" > "$PENSTOCK_RESULT_DIR/variables/Released"',
            left(
                summary="released it",
                externalExecutionId="job 7/é",
                percentComplete="100",
                revision="r1",
            ),
            left(revisionSummary="the first"),
            configuration={"Version": "1.4 $(id)"},
            execution_url="https://ci/{ExternalExecutionId}",
            revision_url="https://ci/revisions",
        )
    )
    assert (result.status, result.message) == ("Succeeded", "")
    assert result.variables == {"Released": "1.4 $(id)"}
    assert (result.summary, result.percent_complete, result.exit_code) == ("released it", 100, 0)
    assert result.external_execution_id == "job 7/é"
    assert result.external_execution_url == "https://ci/job%207%2F%C3%A9"
    assert result.revision is not None
    assert tuple(result.revision) == ("r1", "the first", "https://ci/revisions", "")


def test_action_finds_its_configuration_inputs_and_environment(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    inputs = (pod.put_input("Site", {"a.txt": "site"}), pod.put_input("Other", {"b.txt": "other"}))
    result = pod.run(
        custom(
            'cat a.txt "$PENSTOCK_INPUT_DIR/Other/b.txt" "$PENSTOCK_CONFIGURATION_FILE"',
            'echo " $MODE $PENSTOCK_PROVIDER $PENSTOCK_ACTION $PENSTOCK_TIMEOUT_SECONDS"',
            configuration={"Name": 'a "b"'},
            environment={"MODE": "fast", "PENSTOCK_PROVIDER": "forged"},
            wanted={"inputs": inputs},
        )
    )
    assert result.status == "Succeeded", result.message
    assert 'siteother{\n "Name": "a \\"b\\""\n}\n' in pod.stdout
    assert " fast Script Compile 19\n" in pod.stdout or " fast Script Compile 20\n" in pod.stdout


def test_each_output_artifact_has_a_folder_of_its_own(tmp_path: Path) -> None:
    result = Pod(tmp_path).run(
        custom(
            'for name in A B; do echo "$name" > "$PENSTOCK_OUTPUT_DIR/$name/file"; done',
            wanted={"outputs": (order("A"), order("B"))},
        )
    )
    assert [item.name for item in result.outputs] == ["A", "B"]
    assert result.outputs[0].sha256 != result.outputs[1].sha256


def test_output_artifact_that_was_not_made_fails_the_action(tmp_path: Path) -> None:
    result = Pod(tmp_path).run(custom("true", wanted={"outputs": (order("Site"),)}))
    assert (result.code, result.message) == (
        "JobFailed",
        'Output artifact "Site": the action left nothing for it',
    )


NO_ROLE = left(failureType="PermissionError", failureMessage="role is gone")
AWAY = left(failureType="SystemUnavailable")
NO_TYPE = left(failureType="Whatever", failureMessage="no")


@pytest.mark.parametrize(
    ("commands", "code", "message"),
    [
        ((NO_ROLE, "exit 3"), "PermissionError", "role is gone"),
        ((AWAY, "exit 1"), "SystemUnavailable", "Script: command 2 of 2 ended with exit code 1"),
        ((NO_TYPE, "false"), "JobFailed", "no"),
        (("exit 4",), "JobFailed", "Script: ended with exit code 4"),
        (("'",), "JobFailed", "Script: ended with exit code 2"),
    ],
)
def test_p_84_action_fails_with_a_type_and_a_message_of_its_own(
    tmp_path: Path, commands: tuple[str, ...], code: str, message: str
) -> None:
    result = Pod(tmp_path).run(custom(*commands))
    assert (result.status, result.code, result.message) == ("Failed", code, message)


def test_p_84_failed_action_names_its_external_execution_and_how_far_it_came(
    tmp_path: Path,
) -> None:
    told = left(
        externalExecutionId="7", externalExecutionUrl="https://ci/other/7", percentComplete="40"
    )
    result = Pod(tmp_path).run(
        custom(told, "exit 1", execution_url="https://ci/{ExternalExecutionId}")
    )
    assert (
        result.external_execution_id,
        result.external_execution_url,
        result.percent_complete,
    ) == (
        "7",
        "https://ci/other/7",
        40,
    )


def test_t_09_action_that_runs_too_long_times_out_and_still_names_its_external_execution(
    tmp_path: Path,
) -> None:
    wanted = {"limits": LIMITS._replace(timeout_s=3.0)}
    result = Pod(tmp_path).run(custom(left(externalExecutionId="7"), "sleep 60", wanted=wanted))
    assert (result.code, result.external_execution_id) == ("TimedOut", "7")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a b", "ftp://a", f"https://{'a' * 3000}"]
)
def test_url_that_is_no_link_is_ignored(tmp_path: Path, url: str) -> None:
    pod = Pod(tmp_path)
    result = pod.run(custom(left(externalExecutionUrl=url)))
    assert (result.status, result.external_execution_url) == ("Succeeded", "")
    assert "externalExecutionUrl is ignored" in pod.stdout


@pytest.mark.parametrize("text", ["101", "-1", "50%", "٣", "9" * 5000])
def test_percentage_that_is_none_is_ignored(tmp_path: Path, text: str) -> None:
    assert Pod(tmp_path).run(custom(left(percentComplete=text))).percent_complete is None


def test_files_that_are_hostile_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("not ours")
    pod = Pod(tmp_path)
    result = pod.run(
        custom(
            f'ln -s {tmp_path}/outside "$PENSTOCK_RESULT_DIR/summary"; mkfifo '
            f'"$PENSTOCK_RESULT_DIR/failureType"',
            'cd "$PENSTOCK_RESULT_DIR/variables"; mkdir FOLDER; echo 1 > "a b"; echo ok > OK',
            f"ln -s {tmp_path}/outside LINK",
        )
    )
    assert (result.status, result.summary, result.variables) == ("Succeeded", "", {"OK": "ok"})
    assert "'a b' in the folder of variables is ignored" in pod.stdout


def test_planted_secret_is_nowhere_in_what_is_reported(tmp_path: Path) -> None:
    value = "s3cr/t value%"
    fields = with_secret(tmp_path, value)
    told = left(
        summary=value,
        externalExecutionId=value,
        revision=value,
        revisionSummary=value,
        failureMessage=f"with {value}",
    )
    loud = (f"echo '{value}'", told, f"echo '{value}' > \"$PENSTOCK_RESULT_DIR/variables/X\"")
    for end in ("true", "false"):
        again = Pod(tmp_path / end)
        result: ActionResult = again.run(
            custom(*loud, end, execution_url="https://ci/{ExternalExecutionId}", **fields)
        )
        text = result.encode() or ""
        assert "***" in text
        for form in (value, "s3cr", "value%"):
            assert form not in text
            assert form not in again.stdout


def test_missing_secret_is_named_before_anything_runs(tmp_path: Path) -> None:
    fields = with_secret(tmp_path, "x")
    (tmp_path / "secret/token").unlink()
    (tmp_path / "secret/..2026_11_21").mkdir()
    (tmp_path / "secret/..data").symlink_to("..2026_11_21")
    pod = Pod(tmp_path)
    result = pod.run(custom("echo ran", **fields))
    message = "configuration.Token: there is no Secret login in namespace team, or it is empty"
    assert (result.code, result.message) == ("ConfigurationError", message)
    assert "ran" not in pod.stdout
