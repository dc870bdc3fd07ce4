"""What commands do to the shell that they run in (B-04..B-08): the build goes
on, and says what is true.
"""

from pathlib import Path

import pytest

from tests.unit.agent.pod import SHELLS, Pod
from tests.unit.agent.test_codebuild import build, spec


@pytest.fixture(params=list(SHELLS.values()), ids=list(SHELLS))
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(tmp_path, request.param)


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (["trap 'echo cleaned' EXIT", "exit 0"], 0),
        (["trap 'echo cleaned' EXIT; exit 4"], 4),
        (["trap 'echo cleaned' EXIT", "true"], 0),
        (["trap - EXIT; exit 5"], 5),
        (["exec true"], 0),
        (["exec sh -c 'exit 6'"], 6),
        (["kill -9 $$"], 137),
        (["if then"], 2),
        (["echo 'open"], 2),
        (["set -C", "echo a > f", "echo b >| f"], 0),
        (["IFS=,; set -f", "true"], 0),
        (["umask 777; PATH=", "PATH=/usr/bin:/bin"], 0),
        (["read -r line"], 1),
        (["f() { return 8; }; f"], 8),
        (["exec 3>&1; echo three >&3"], 0),
        (["printf %s 'no newline'"], 0),
        (["false || true", "! true || false"], 1),
        (["unset PWD HOME", "exit 0"], 0),
        (["export ODD=\"it's \\\"odd\\\"\n\\$(x)\"", "exec true"], 0),
        (["(exit 9)"], 9),
        (["definitely-no-command"], 127),
    ],
)  # fmt: skip
def test_post_build_follows_whatever_a_command_does(
    pod: Pod, commands: list[str], code: int
) -> None:
    result = build(
        pod, spec({"build": commands, "post_build": ['echo "after $CODEBUILD_BUILD_SUCCEEDING"']})
    )
    assert (result.exit_code, pod.exit_code) == (code, code), (result, pod.stdout)
    assert f"after {0 if code else 1}\n" in pod.stdout


@pytest.mark.parametrize(
    "commands", [["return 7"], ["set -u", "echo $UNSET_VARIABLE"], ["set -o no-such-option"]]
)
def test_shells_differ_in_the_code_of_their_own_errors(pod: Pod, commands: list[str]) -> None:
    result = build(pod, spec({"build": commands, "post_build": ["echo after"]}))
    assert result.exit_code == pod.exit_code != 0
    assert "\nafter\n" in pod.stdout


def test_cleanup_trap_of_a_command_runs(pod: Pod) -> None:
    build(
        pod,
        spec(
            {
                "build": ["trap 'echo cleaned' EXIT", "cd /tmp; export KEPT=1; exit 3"],
                "post_build": ["pwd"],
            }
        ),
    )
    assert "\ncleaned\n" in pod.stdout


def test_shell_that_a_command_replaced_is_followed_by_one_with_its_exports_and_folder(
    pod: Pod,
) -> None:
    commands = [
        "mkdir 'a b'; cd 'a b'; export KEPT=\"it's\n\\$1\"",
        "exec true",
        'echo "$KEPT in ${PWD##*/}"',
    ]
    assert build(pod, spec({"build": commands})).status == "Succeeded"
    assert "\nit's\n$1 in a b\n" in pod.stdout


def test_version_0_1_gives_each_command_a_shell_of_its_own(pod: Pod) -> None:
    commands = ["cd /; export A=2; f() { :; }", 'echo "$A in ${PWD##*/}"', "f || exit 6"]
    text = spec({"build": commands, "post_build": ["echo after"]}, version=0.1)
    text += "environment_variables: {plaintext: {A: 1}}\n"
    result = build(pod, text)
    assert (result.exit_code, "\n1 in Source\n" in pod.stdout, "\nafter\n" in pod.stdout) == (
        6,
        True,
        True,
    )


def test_bash_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    pod = Pod(tmp_path, ["dash"])
    result = build(
        pod, spec({"build": ["a=(1 2); [[ ${#a[@]} == 2 ]]", "exit 0"]}, env={"shell": "bash"})
    )
    assert result.status == "Succeeded", result


def test_image_without_bash_says_so(tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only/sh").symlink_to("/bin/busybox")
    pod = Pod(tmp_path, ["env", f"PATH={tmp_path}/only", "/bin/busybox", "sh"])
    result = build(pod, spec({"build": ["true"]}, env={"shell": "bash"}))
    assert (
        result.message
        == "env.shell: the image has no bash; use an image that has, or /bin/sh (B-10)"
    )


def test_trace_shows_commands_and_nothing_of_ours(pod: Pod) -> None:
    build(
        pod,
        spec(
            {"build": ["set -x", "echo traced", "true"], "post_build": ["set +x", "echo untraced"]}
        ),
    )
    lines = [line.lstrip("+ ") for line in pod.stdout.splitlines() if line.startswith("+")]
    assert "echo traced" in lines
    assert [line for line in lines if "penstock_" in line or "untraced" in line] == []


def test_path_that_leads_nowhere_stops_no_build(pod: Pod) -> None:
    env = {"variables": {"PATH": "$PATH:/x"}}
    assert (
        build(
            pod,
            spec({"build": ["exit 0", "trap : EXIT; exit 0"], "post_build": ["echo end"]}, env=env),
        ).status
        == "Succeeded"
    )
