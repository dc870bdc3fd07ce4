"""The agent with the real wrapper: what users see of an action that runs commands."""

import time
from pathlib import Path

import pytest
from obstore.store import LocalStore

from penstock.api.contract.contracts import ActionRequest, ArtifactLocation
from penstock.api.contract.wrapper import NOT_RELEASED
from tests.unit.agent.pod import LIMITS, SHELLS, Pod, is_root, order, request, script


@pytest.fixture(params=SHELLS)
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(tmp_path / "pod", SHELLS[request.param], in_namespace=is_root())


@pytest.fixture
def one_pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path / "pod", in_namespace=is_root())


def test_commands_run_in_one_shell_and_their_output_is_printed_and_stored(pod: Pod) -> None:
    result = pod.run(request(script=script("x=1", "echo $x", "echo err >&2")))
    assert (result.status, result.exit_code, pod.exit_code) == ("Succeeded", 0, 0)
    assert pod.stdout == "+ x=1\n+ echo $x\n1\n+ echo err >&2\nerr\n"
    assert pod.stored(result.log).decode() == pod.stdout


def test_first_command_that_fails_ends_the_script_and_is_named(pod: Pod) -> None:
    result = pod.run(request(script=script("echo a", "(exit 3)", "echo never")))
    assert (result.status, result.code, result.exit_code, pod.exit_code) == (
        "Failed",
        "JobFailed",
        3,
        3,
    )
    assert result.message == "Command failed with exit code 3: (exit 3)"
    assert "never" not in pod.stdout


def test_command_that_is_not_found_is_told_so(pod: Pod) -> None:
    result = pod.run(request(script=script("no-such-program --x")))
    assert (result.code, result.exit_code) == ("JobFailed", 127)
    assert result.message == "Command not found, failed with exit code 127: no-such-program --x"


@pytest.mark.parametrize(
    "broken", ["echo 'open", 'echo "open', "echo $(open", "if true", "cat <<E", "}"]
)
def test_broken_command_does_not_swallow_the_next_one(pod: Pod, broken: str) -> None:
    result = pod.run(request(script=script(broken, "echo 'next'\"x\"")))
    if broken == "cat <<E":  # every shell takes the end of the text for the end of the document
        assert result.status == "Succeeded"
    else:
        assert (result.status, "nextx" in pod.stdout) == ("Failed", False)


def test_outputs_variables_and_inputs_pass_through_the_store(pod: Pod) -> None:
    first = pod.put_input("Src", {"a/in.txt": "hello"})
    second = pod.put_input("More-Src", {"b": "world"})
    commands = script(
        'cat "$CODEBUILD_SRC_DIR/a/in.txt" "$CODEBUILD_SRC_DIR_More_Src/b"',
        'test "$PWD" = "$CODEBUILD_SRC_DIR" && mkdir dist && echo out > dist/x.txt',
        "A='a b'",
        "C=$GREETING",
        output_variables=("A", "C", "UNSET"),
        environment={"GREETING": "it's"},
    )
    wanted = request(inputs=(first, second), outputs=(order("Out", "dist/*.txt"),), script=commands)
    result = pod.run(wanted)
    assert (result.status, result.message) == ("Succeeded", "")
    assert result.variables == {"A": "a b", "C": "it's"}
    assert [item.key for item in result.outputs] == ["p-uid/r-uid/Build/Compile/1/pod-1/Out"]
    again = Pod(pod.root.parent / "next")
    again.store = pod.store
    follower = again.run(request(
        attempt=request().attempt._replace(action="Next"), inputs=result.outputs,
        script=script("cat dist/x.txt")
    ))  # fmt: skip
    assert (follower.status, again.stdout) == ("Succeeded", "+ cat dist/x.txt\nout\n")


def test_values_are_data_whatever_they_hold(pod: Pod) -> None:
    """TEP-0146, CVE-2021-37914: a commit message is never parsed as code, nor evaluated again."""
    evil = "$(touch /tmp/pwned) `id` '; exit 7; ' \"\\ #{variables.x} $HOME \n second"
    commands = ('printf "%s" "${PENSTOCK_VALUE_x}" > got', "OUT=$(cat got)")
    wanted = script(*commands, values={"PENSTOCK_VALUE_x": evil}, output_variables=("OUT",))
    result = pod.run(request(script=wanted))
    assert (result.status, result.variables) == ("Succeeded", {"OUT": evil})


def test_exit_zero_before_the_end_still_reports_variables(pod: Pod) -> None:
    result = pod.run(request(script=script("A=1", "exit 0", "echo never", output_variables=("A",))))
    assert (result.status, result.variables, "never" in pod.stdout) == (
        "Succeeded",
        {"A": "1"},
        False,
    )


def test_set_options_of_a_command_keep_their_meaning(pod: Pod) -> None:
    result = pod.run(request(script=script("set -eu", "false; echo never")))
    assert (result.status, result.exit_code, "\nnever\n" in pod.stdout) == ("Failed", 1, False)


def test_timeout_sends_term_then_reports_timed_out(pod: Pod) -> None:
    limits = LIMITS._replace(timeout_s=2.0, grace_s=10)
    commands = script("trap 'echo got term; exit 4' TERM; sleep 30 & wait")
    result = pod.run(request(script=commands, limits=limits))
    assert (result.code, result.message) == ("TimedOut", "Timed out after 2 s")
    assert "got term" in pod.stdout


def test_action_that_ignores_term_is_killed(pod: Pod) -> None:
    limits = LIMITS._replace(timeout_s=2.0)
    result = pod.run(request(script=script("trap '' TERM; sleep 30; sleep 30"), limits=limits))
    assert result.code == "TimedOut"
    assert pod.exit_code != 0


def test_container_that_dies_without_a_word_fails_at_once(pod: Pod) -> None:
    pid_1 = "kill -9 $PPID"
    pod.in_namespace = False
    result = pod.run(request(script=script(pid_1, "sleep 30")))
    assert (result.status, result.code, result.exit_code) == ("Failed", "ActionContainerDied", None)


def test_background_process_that_keeps_the_log_open_does_not_hold_the_action(pod: Pod) -> None:
    pod.in_namespace = False
    result = pod.run(request(script=script("sleep 5 & echo started")))
    assert (result.status, "started\n" in pod.stdout) == ("Succeeded", True)


def test_code_that_a_command_forges_is_overruled_by_the_last(pod: Pod) -> None:
    forge = f"echo 0 > {pod.paths.control}/done; exit 9"
    assert pod.run(request(script=script(forge))).exit_code == 9


def test_log_beyond_its_limit_is_cut_and_says_so(one_pod: Pod) -> None:
    limits = LIMITS._replace(log_bytes=1000)
    result = one_pod.run(
        request(
            script=script("i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done"),
            limits=limits,
        )
    )
    stored = one_pod.stored(result.log).decode()
    assert stored.endswith("\n[penstock] The log was cut here: it is longer than 1000 bytes\n")
    assert (result.status, len(stored) < 1100) == ("Succeeded", True)


def test_output_variables_beyond_the_limit_fail_naming_sizes(one_pod: Pod) -> None:
    limits = LIMITS._replace(variables_bytes=10)
    commands = script("A=12345678901", output_variables=("A",))
    result = one_pod.run(request(script=commands, limits=limits))
    assert (result.code, "A 11" in result.message) == ("OutputVariablesSizeExceeded", True)


def test_output_variables_beyond_the_termination_message_fail_naming_sizes(one_pod: Pod) -> None:
    commands = script("A=$(head -c 9000 /dev/urandom | base64)", output_variables=("A",))
    result = one_pod.run(request(script=commands))
    assert result.code == "OutputVariablesSizeExceeded"
    assert "4096 bytes of a termination message: A 12" in result.message


def test_output_variable_replaced_by_a_link_is_not_read(one_pod: Pod) -> None:
    """CVE-2026-33211: no file content of the agent's reaches a status field."""
    (one_pod.root / "secret").write_text("canary")
    link = f"ln -sf {one_pod.root}/secret {one_pod.paths.workspace}/report/variables/A"
    commands = script(f"trap '{link}' EXIT", "A=1", "exit 0", output_variables=("A",))
    result = one_pod.run(request(script=commands))
    assert (result.status, result.variables) == ("Succeeded", {})


def test_link_out_of_the_workspace_is_not_uploaded(one_pod: Pod) -> None:
    commands = script("ln -s /var/run/secrets/kubernetes.io/serviceaccount/token out")
    result = one_pod.run(request(script=commands, outputs=(order("Out"),)))
    assert (result.status, result.code, result.exit_code) == ("Failed", "JobFailed", None)
    assert "leads out of the workspace (-> /var/run/secrets/" in result.message


def test_foreign_claim_ends_without_effect(one_pod: Pod) -> None:
    marker = one_pod.root / "ran"
    other = Pod(one_pod.root.parent / "other", uid="pod-2")
    other.store = one_pod.store
    assert one_pod.run(request(script=script("true"))).status == "Succeeded"
    result = other.run(request(script=script(f"touch {marker}")))
    assert (result.status, result.code, other.exit_code) == (
        "Lost",
        "DuplicateExecution",
        NOT_RELEASED,
    )
    assert "pod pod-1" in result.message
    assert not marker.exists()


def test_claim_of_a_former_container_of_the_same_pod_counts_as_foreign(one_pod: Pod) -> None:
    assert one_pod.run(request(script=script("true"))).status == "Succeeded"
    again = Pod(one_pod.root.parent / "again", uid="pod-1")
    again.store = one_pod.store
    result = again.run(request(script=script("true")))
    assert (result.code, "a former agent container" in result.message) == (
        "DuplicateExecution",
        True,
    )


def test_pod_that_starts_too_late_does_nothing(one_pod: Pod) -> None:
    one_pod.paths.not_after.write_text(str(time.time() - 5))
    result = one_pod.run(request(script=script("true")))
    assert (result.status, result.code, one_pod.exit_code) == (
        "Lost",
        "StartedTooLate",
        NOT_RELEASED,
    )
    assert not list((one_pod.root / "store").iterdir())


def test_input_that_was_changed_in_the_store_is_refused_before_it_is_unpacked(one_pod: Pod) -> None:
    artifact = one_pod.put_input("Src", {"a": "x"})
    path = one_pod.root / "store" / artifact.key
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    result = one_pod.run(request(inputs=(artifact,), script=script("true")))
    assert (result.status, result.code, one_pod.exit_code) == (
        "Failed",
        "SystemUnavailable",
        NOT_RELEASED,
    )
    assert (
        'Input artifact "Src": the stored object is not the one that was recorded' in result.message
    )


def test_missing_input_names_the_object(one_pod: Pod) -> None:
    result = one_pod.run(
        request(inputs=(ArtifactLocation("Src", "in/none", 1, "0" * 64),), script=script("true"))
    )
    assert (result.code, "in/none does not exist" in result.message) == ("SystemUnavailable", True)


@pytest.mark.parametrize("text", ["", "{}", '{"version":2}', "z:!!!", "[" * 100_000])
def test_request_that_is_none_ends_in_a_result(one_pod: Pod, text: str) -> None:
    class Raw(ActionRequest):
        def encode(self) -> str:
            return text

    result = one_pod.run(
        Raw(1, request().attempt, "commands", request().store, script=script("true"))
    )
    assert (result.status, result.code, one_pod.exit_code) == (
        "Failed",
        "SystemUnavailable",
        NOT_RELEASED,
    )


@pytest.mark.parametrize("provider", ["../x", "nope", "Commands", "commands.execution", ""])
def test_unknown_provider_is_refused(one_pod: Pod, provider: str) -> None:
    assert one_pod.run(request(provider=provider)).code == "ConfigurationError"


def test_crash_of_our_own_is_reported(one_pod: Pod) -> None:
    one_pod.paths.not_after.write_text("soon")
    result = one_pod.run(request(script=script("true")))
    assert (result.status, result.code) == ("Failed", "SystemUnavailable")
    assert (
        result.message == "the agent failed: ValueError: could not convert string to float: 'soon'"
    )


def test_secrets_are_masked_in_log_and_result(one_pod: Pod) -> None:
    """CVE-2025-62157: a planted secret is found in no log, event or status."""
    folder = one_pod.root / "secret"
    folder.mkdir()
    (folder / "password").write_text("s3cr3t-canary\n")
    wanted = request(
        secrets={"CredentialsSecret": str(folder)},
        script=script(
            "echo a s3cr3t-canary b; printf s3cr3t-; sleep 0.1; echo canary",
            "exit 3 # s3cr3t-canary",
        ),
    )
    result = one_pod.run(wanted)
    texts = [
        one_pod.stdout,
        one_pod.stored(result.log).decode(),
        one_pod.paths.termination.read_text(),
    ]
    assert not [text for text in texts if "s3cr3t-canary" in text]
    assert "a *** b\n***\n" in one_pod.stdout


def test_control_volume_written_by_the_action_user_is_not_needed(one_pod: Pod) -> None:
    result = one_pod.run(request(script=script("true")))
    modes = {path.name: path.stat().st_mode & 0o777 for path in one_pod.paths.control.iterdir()}
    assert result.status == "Succeeded"
    assert (modes["script"], modes["values"], modes["ready"]) == (0o644, 0o644, 0o666)


def test_store_is_a_volume_or_a_bucket_alike(one_pod: Pod) -> None:
    assert isinstance(one_pod.backend, LocalStore)
    assert not list((one_pod.root / "store").iterdir())
