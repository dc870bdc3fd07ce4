"""CodeBuild's oracle scenarios (O-35..O-45) with the real agent, wrapper and shells."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from penstock.api.contract.contracts import ActionResult, Build
from penstock.artifacts.unpacking import Caps, unpack
from tests.unit.agent.pod import SHELLS, Pod, order
from tests.unit.agent.pod import request as action_request


@pytest.fixture(params=list(SHELLS.values()), ids=list(SHELLS))
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(tmp_path, request.param)


def spec(phases: Mapping[str, object], **fields: object) -> str:
    wrapped = {
        name: {"commands": body} if isinstance(body, list) else body
        for name, body in phases.items()
    }
    return yaml.safe_dump({"version": 0.2, "phases": wrapped} | fields)


def build(
    pod: Pod, text: str, *outputs: str, files: dict[str, str] | None = None, **fields: object
) -> ActionResult:
    source = pod.put_input("Source", files or {"a.txt": "a"})
    wanted = Build("web", "image", text, **fields)  # type: ignore[arg-type]
    orders = tuple(order(name) for name in outputs)
    return pod.run(
        action_request(provider="codebuild", build=wanted, inputs=(source,), outputs=orders)
    )


def tree(pod: Pod, name: str, tmp_path: Path) -> list[str]:
    """Return the files of a stored artifact."""
    key = next(
        path
        for path in (pod.root / "store").rglob("*")
        if path.is_file() and f"/{name}/" in f"{path}/"
    )
    target = tmp_path / f"unpacked-{name}"
    target.mkdir()
    with key.open("rb") as file:
        unpack(file, target, Caps(1000, 1 << 20, 1000))
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


def test_oracle_o_35_outputs_are_the_secondary_identifiers(pod: Pod, tmp_path: Path) -> None:
    secondary = {"One": {"files": "a.txt"}, "Two": {"files": ["b.txt"]}}
    text = spec(
        {"build": ["touch b.txt"]}, artifacts={"files": "x", "secondary-artifacts": secondary}
    )
    assert [item.name for item in build(pod, text, "One", "Two").outputs] == ["One", "Two"]
    assert (tree(pod, "One", tmp_path), tree(pod, "Two", tmp_path)) == (["a.txt"], ["b.txt"])


def test_oracle_o_35_other_identifiers_fail(pod: Pod) -> None:
    text = spec(
        {"build": ["true"]},
        artifacts={"files": "x", "secondary-artifacts": {"One": {"files": "a.txt"}}},
    )
    assert 'no artifacts for the output artifact "Two"' in build(pod, text, "One", "Two").message


def test_oracle_o_36_post_build_and_upload_follow_a_failed_build(pod: Pod, tmp_path: Path) -> None:
    phases: Mapping[str, object] = {
        "build": ["false"],
        "post_build": ["echo $CODEBUILD_BUILD_SUCCEEDING > marker"],
    }
    result = build(pod, spec(phases, artifacts={"files": "**/*"}), "Site")
    assert (result.status, result.code, result.exit_code) == ("Failed", "JobFailed", 1)
    assert (
        result.message
        == "Build terminated with state: FAILED: BUILD: Command failed with exit code 1: false"
    )
    assert tree(pod, "Site", tmp_path) == ["a.txt", "marker"]
    assert (tmp_path / "unpacked-Site/marker").read_text() == "0\n"


def test_oracle_o_37_nothing_follows_a_failed_install(pod: Pod) -> None:
    text = spec(
        {"install": ["exit 4"], "build": ["echo ran-b"], "post_build": ["echo ran-p"]},
        artifacts={"files": "*"},
    )
    result = build(pod, text, "Site")
    assert "INSTALL: Command failed with exit code 4" in result.message
    assert "Running command echo" not in pod.stdout
    assert "Expanding" not in pod.stdout


def test_oracle_o_38_abort_skips_post_build(pod: Pod) -> None:
    phases = {"build": {"commands": ["false"], "on-failure": "ABORT"}, "post_build": ["echo after"]}
    assert build(pod, spec(phases)).status == "Failed"
    assert "echo after" not in pod.stdout


@pytest.mark.parametrize(
    ("command", "last", "code"), [("exit 3", "true", 3), ("true", "exit 5", 5)]
)
def test_oracle_o_39_finally_runs_and_its_failure_counts(
    pod: Pod, command: str, last: str, code: int
) -> None:
    phases: Mapping[str, object] = {
        "build": {"commands": [command, "echo next"], "finally": ["echo at-last", last]}
    }
    result = build(pod, spec(phases))
    assert (result.status, result.exit_code) == ("Failed", code)
    assert "\nat-last\n" in pod.stdout


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (["set -e", "false"], 1),
        (["exit 3"], 3),
        (["true\nfalse\ntrue"], 0),
        (["exit 0", "true"], 0),
        (["set -eu"], 0),
    ],
)
def test_oracle_o_41_shells_that_end(pod: Pod, commands: list[str], code: int) -> None:
    result = build(pod, spec({"build": commands, "post_build": ["echo after"]}))
    assert result.exit_code == code, result
    assert "\nafter\n" in pod.stdout


def test_oracle_o_42_nothing_to_upload_fails(pod: Pod) -> None:
    result = build(pod, spec({"build": ["true"]}, artifacts={"files": ["*.jar"]}), "Site")
    assert result.message.endswith(
        "UPLOAD_ARTIFACTS: CLIENT_ERROR Message: no matching artifact paths found"
    )
    assert "Skipping invalid file path *.jar" in pod.stdout


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"files": "**/*", "base-directory": "my-build*"},
        ["my-file-1.txt", "my-file-2.txt", "sub/my-file-3.txt"]),
        (
            {"files": "**/*", "base-directory": "my-build*", "discard-paths": "yes"},
            ["my-file-1.txt", "my-file-2.txt", "my-file-3.txt"],
        ),
        ({"files": "*/my-file-3.txt", "base-directory": "my-build2"}, ["sub/my-file-3.txt"]),
        ({"files": ["./my-file-2.txt"], "base-directory": "./my-build2/"}, ["my-file-2.txt"]),
        ({"files": "$CODEBUILD_SRC_DIR/my-build1/*", "base-directory": "."},
        ["my-build1/my-file-1.txt"]),
        ({"files": "**/*", "base-directory": "$CODEBUILD_SRC_DIR/my-build1"}, ["my-file-1.txt"]),
        ({"files": "**/*", "exclude-paths": ["**/*-3.txt", "my-build1/**"]},
        ["my-build2/my-file-2.txt"]),
    ],
)  # fmt: skip
def test_oracle_o_43_trees(
    pod: Pod, tmp_path: Path, fields: dict[str, object], expected: list[str]
) -> None:
    names = ("my-build1/my-file-1.txt", "my-build2/my-file-2.txt", "my-build2/sub/my-file-3.txt")
    result = build(
        pod, spec({"build": ["true"]}, artifacts=fields), "Site", files=dict.fromkeys(names, "x")
    )
    assert result.status == "Succeeded", result
    assert tree(pod, "Site", tmp_path) == expected


def test_oracle_o_44_action_over_project_over_buildspec(pod: Pod) -> None:
    env = {
        "variables": {"A": "spec", "B": "spec", "C": "$PATH:/x"},
        "exported-variables": ["A", "B", "C"],
    }
    text = spec({"build": ["true"]}, env=env)
    result = build(
        pod, text, environment={"A": "project", "B": "project"}, overrides={"A": "action"}
    )
    assert result.variables == {"A": "action", "B": "project", "C": "$PATH:/x"}


def test_oracle_o_45_last_value_is_exported(pod: Pod) -> None:
    text = spec(
        {"install": ["export V=1"], "post_build": ["V=2"]},
        env={"exported-variables": ["V", "UNSET", "AWS_KEY"]},
    )
    result = build(pod, text, environment={"AWS_KEY": "not exported (B-14)"})
    assert result.variables == {"V": "2"}
    assert result.external_execution_id == "web:r-uid-1-1"


def test_one_shell_for_all_phases(pod: Pod) -> None:
    commands: dict[str, object] = {
        "install": ["mkdir d; cd d; v=plain", "f() { echo fun; }"],
        "build": ["pwd; f; echo $v"],
    }
    assert build(pod, spec(commands)).status == "Succeeded"
    assert "/d\nfun\nplain\n" in pod.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "version: 0.2\nrun-as: me\nphases: {}\n",
            "buildspec.run-as is not supported yet (B-06); remove it",
        ),
        (
            "version: 0.2\nbatch: {fast-fail: yes}\n",
            "buildspec.batch is not supported yet (B-60); remove it",
        ),
        ("version: 0.2\nphases: &a {build: *a}\n", "DOWNLOAD_SOURCE: "),
        (
            "version: 0.2\nphases: {build: {commands: [&a 'x"
            + "x" * 50_000
            + "'"
            + ", *a" * 50
            + "]}}\n",
            "characters, more than",
        ),
        (
            "version: 0.2\nproxy: {logs: yes}\n",
            "buildspec.proxy is not supported yet (B-16); remove it",
        ),
        (
            "version: 0.2\nenv: {parameter-store: {A: /a}}\n",
            "env.parameter-store is not supported yet (B-12); ",
        ),
        (
            "version: 0.2\nenv: {secrets-manager: {A: a:b}}\n",
            "env.secrets-manager is not supported yet (B-12); ",
        ),
        (
            "version: 0.2\nenv: {git-credential-helper: yes}\n",
            "env.git-credential-helper is not supported yet (B-15)",
        ),
        (
            "version: 0.2\nphases: {build: {commands: a}}\nenv: {shell: zsh}\n",
            "env.shell: 'zsh' is not supported, bash and /bin/sh are (B-10)",
        ),
        (
            "version: 0.2\nphases: {build: {run-as: me}}\n",
            "phases.build.run-as is not supported yet (B-06)",
        ),
        (
            "version: 0.2\nphases: {build: {commands: a, on-failure: RETRY-2}}\n",
            "on-failure: RETRY-2 is not supported",
        ),
        (
            "version: 0.2\nphases: {test: {commands: a}}\n",
            "phases.test is no phase of a build; these are install, pre_build,",
        ),
        (
            "version: 0.2\nenvironment_variables: {}\n",
            "environment_variables is a key of version 0.1",
        ),
        ("version: 0.3\n\n", "DOWNLOAD_SOURCE: version '0.3' is not supported, 0.2 and 0.1 are"),
        (
            "version: 0.2\nphases:\n  build:\n    commands:\n      - a: b\n",
            "phases.build.commands[0] is not a text",
        ),
        ("missing.yml", "DOWNLOAD_SOURCE: missing.yml cannot be read: No such file or directory"),
    ],
)
def test_buildspec_that_cannot_run_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    assert message in build(Pod(tmp_path), text).message


def test_anchors_and_aliases_stand_for_each_other(tmp_path: Path) -> None:
    text = "version: 0.2\nphases:\n  install: &same\n    commands: [echo once]\n  build: *same\n"
    pod = Pod(tmp_path)
    assert build(pod, text).status == "Succeeded"
    assert pod.stdout.splitlines().count("once") == 2
