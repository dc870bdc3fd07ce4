"""What real buildspecs need (issue 10's definitions 1 to 10, bugs 04, 16 and
17), with the real agent and shells.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.actions.codebuild.buildspec_yaml import is_inline
from penstock.api.contract.contracts import ActionResult
from penstock.api.text import shorten
from tests.unit.agent.pod import SHELLS, Pod, order, request, script
from tests.unit.agent.test_codebuild import build, spec, tree

NOTHING_FOUND = "no matching artifact paths found"


@pytest.fixture(params=list(SHELLS.values()), ids=list(SHELLS))
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(tmp_path, request.param)


@pytest.fixture
def one_pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def lines(pod: Pod) -> list[str]:
    return pod.stdout.splitlines()


ONE_LINE = {"version": "0.2", "phases": {"build": {"commands": ["echo built > out.txt"]}}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ONE_LINE),
        "  " + json.dumps(ONE_LINE),
        json.dumps(ONE_LINE, indent=1),
        "{version: 0.2, phases: {build: {commands: [echo built > out.txt]}}}",
        "--- " + json.dumps(ONE_LINE),
        yaml.safe_dump(ONE_LINE),
    ],
)
def test_bug_04_inline_buildspec_is_told_by_what_it_is(
    one_pod: Pod, tmp_path: Path, text: str
) -> None:
    whole = text.rstrip() if text.endswith("\n") else text
    result = build(one_pod, whole)
    assert (result.status, result.message) == ("Succeeded", "")


@pytest.mark.parametrize(
    "path", ["ci/spec.yml", "ci/spec.yml\n", " ci/spec.yml", "./ci//spec.yml", "ci/a: b.yml"]
)
def test_bug_04_path_is_a_path(one_pod: Pod, path: str) -> None:
    name = path.strip().removeprefix("./").replace("//", "/")
    result = build(one_pod, path, files={name: spec({"build": ["true"]})})
    assert (result.status, result.message) == ("Succeeded", "") if ": " not in path else result.code


@pytest.mark.parametrize(
    ("text", "is_one"), [("arn:aws:s3:::b/spec.yml", False), ("x.yml", False), ("{", True)]
)
def test_bug_04_what_begins_like_a_map_is_none_of_a_path(text: str, is_one: bool) -> None:
    assert is_inline(text) is is_one


def test_bug_04_buildspec_in_s3_is_refused_by_name(one_pod: Pod) -> None:
    assert (
        "a buildspec in S3 is not read"
        in build(one_pod, "arn:aws:s3:::bucket/buildspec.yml").message
    )


def cached(**fields: Any) -> str:
    return spec({"build": ["echo ok"]}, **fields)


@pytest.mark.parametrize(
    "cache", [{"paths": ["node_modules/**/*"]}, {"paths": None}, {"key": "x", "paths": ["a"]}]
)
def test_definition_01_cache_is_ignored_and_told(one_pod: Pod, cache: dict[str, Any]) -> None:
    assert build(one_pod, cached(cache=cache)).status == "Succeeded"
    told = [
        line
        for line in lines(one_pod)
        if "cache is ignored: the project has no cache (B-52)" in line
    ]
    assert len(told) == (1 if cache.get("paths") else 0)


@pytest.mark.parametrize("command", ["echo a;\techo b", "echo a; echo b\t", "echo a\t; echo b"])
def test_definition_02_tab_in_a_plain_scalar_is_a_tab(one_pod: Pod, command: str) -> None:
    text = f"version:\t0.2\nphases:\n  build:\n    commands:\n      - {command}\n"
    assert build(one_pod, text).status == "Succeeded"
    assert [line for line in lines(one_pod) if line in ("a", "b")] == ["a", "b"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("version", ["0.2", "0.1"])
@pytest.mark.parametrize("end", ["\\\n", "\\", "\\\n\n", "\\\\\\\n"])
def test_definition_03_command_that_ends_with_a_backslash_ends(
    pod: Pod, shell: str, version: str, end: str
) -> None:
    commands = [f"echo one \\\n  two {end}", "echo next"]
    text = yaml.safe_dump(
        {"version": version, "env": {"shell": shell}, "phases": {"build": {"commands": commands}}}
    )
    result = build(pod, text)
    assert (result.status, result.message) == ("Succeeded", "")
    words = [line.rstrip("\\ ") for line in lines(pod)]
    assert (words.count("one two"), words.count("next")) == (1, 1)


def test_commands_action_ends_a_command_that_ends_with_a_backslash_too(pod: Pod) -> None:
    result = pod.run(request(script=script("echo one \\\n two \\\n", "false \\\n")))
    assert (result.status, result.exit_code) == ("Failed", 1)
    assert [line.strip() for line in lines(pod)].count("one two") == 1


BASES = ["$CODEBUILD_SRC_DIR", "${CODEBUILD_SRC_DIR}/", "./", ".", "", "$CODEBUILD_SRC_DIR/$SUB",
         "$CODEBUILD_SRC_DIR/.", "$CODEBUILD_SRC_DIR/$NONE", "a/..", "./."]  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_definition_04_base_directory_may_be_the_source_itself(
    one_pod: Pod, tmp_path: Path, base: str
) -> None:
    text = spec({"build": ["export SUB=."]}, artifacts={"files": ["**/*"], "base-directory": base})
    assert build(one_pod, text, "Site").message == ""
    assert tree(one_pod, "Site", tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "base", ["sub", "sub/", "./sub", "$CODEBUILD_SRC_DIR/sub/", "x/../sub", "s*/"]
)
def test_definition_04_base_directory_is_any_spelling_of_a_folder(
    one_pod: Pod, tmp_path: Path, base: str
) -> None:
    text = spec({"build": ["true"]}, artifacts={"files": ["**/*"], "base-directory": base})
    assert build(one_pod, text, "Site", files={"sub/b.txt": "", "c.txt": ""}).message == ""
    assert tree(one_pod, "Site", tmp_path) == ["b.txt"]


@pytest.mark.parametrize(
    "files", [["/tmp/x.json"], ["../x"], ["$HOME/../../x"], ["[z-a]"], ["{a"], ["none"]]
)
def test_definition_05_what_failed_is_told_before_what_could_not_be_packed(
    one_pod: Pod, files: list[str]
) -> None:
    result = build(one_pod, spec({"build": ["exit 5"]}, artifacts={"files": files}), "Site")
    if files == ["../x"]:  # refused before anything runs
        assert (result.code, "artifacts.files[0]: ../x leads out" in result.message) == (
            "ConfigurationError",
            True,
        )
        return
    assert (
        result.message
        == "Build terminated with state: FAILED: BUILD: Command failed with exit code 5: exit 5"
    )
    assert result.exit_code == 5


@pytest.mark.parametrize("umask", ["022", "077"])
@pytest.mark.parametrize("text", ["{0}/build.json", "$WHERE/build.json", "${{WHERE}}/build.json"])
def test_definition_06_file_by_its_absolute_path_is_taken(
    pod: Pod, tmp_path: Path, text: str, umask: str
) -> None:
    outside = tmp_path / "outside_of it's"
    outside.mkdir()
    commands = [f"umask {umask}", f'export WHERE="{outside}"', 'echo {} > "$WHERE/build.json"']
    result = build(
        pod, spec({"build": commands}, artifacts={"files": [text.format(outside), "a.txt"]}), "Site"
    )
    assert result.message == ""
    assert tree(pod, "Site", tmp_path) == ["a.txt", "build.json"]


@pytest.mark.parametrize(
    ("artifacts", "key"),
    [
        ({"files": ["/tmp/*.json"]}, "artifacts.files[0]"),
        ({"files": ["a.txt", "../x"]}, "artifacts.files[1]"),
        ({"files": ["x"], "base-directory": "../x"}, "artifacts.base-directory"),
        ({"files": ["x"], "base-directory": "/tmp"}, "artifacts.base-directory"),
        ({"files": ["x"], "exclude-paths": ["/tmp/x"]}, "artifacts.exclude-paths[0]"),
        (
            {"files": ["x"], "secondary-artifacts": {"One": {"files": ["/tmp/{a,b}"]}}},
            "artifacts.secondary-artifacts.One.files[0]",
        ),
    ],
)
def test_definition_06_what_cannot_be_taken_is_refused_before_anything_runs(
    one_pod: Pod, artifacts: dict[str, Any], key: str
) -> None:
    result = build(one_pod, spec({"build": ["echo ran"]}, artifacts=artifacts), "Site")
    assert (result.code, result.message.startswith(f"{key}: ")) == ("ConfigurationError", True)
    assert "ran" not in lines(one_pod)


def test_definition_07_run_as_root_is_the_default(one_pod: Pod) -> None:
    text = spec({"build": {"commands": ["echo ok"], "run-as": "root"}}, **{"run-as": "root"})
    assert build(one_pod, text).status == "Succeeded"
    assert any("run-as: root is the default" in line for line in lines(one_pod))


@pytest.mark.parametrize("nothing", ["", "~", "null", "{}", "[]"])
def test_definition_08_sections_that_are_empty_ask_for_nothing(one_pod: Pod, nothing: str) -> None:
    text = f"""version: 0.2
env:
  parameter-store: {nothing}
  secrets-manager: {nothing}
  git-credential-helper: no
  variables: {{A: x}}
  exported-variables: {nothing if nothing != "{}" else ""}
phases:
  install: {nothing if nothing != "[]" else ""}
  build: {{commands: ['echo is-$A'], finally: {nothing if nothing != "{}" else ""}}}
cache: {{paths: {nothing}}}
proxy: {{upload-artifacts: no, logs: no}}
batch: {nothing}
reports: {nothing if nothing != "[]" else ""}
artifacts: {nothing if nothing != "[]" else ""}
"""
    result = build(one_pod, text)
    assert (result.message, "is-x" in lines(one_pod)) == ("", True)


def test_definition_09_merge_keys_are_merged(one_pod: Pod) -> None:
    text = """version: 0.2
x: &base {A: one, B: one}
y: &build {commands: ['echo $A-$B'], on-failure: CONTINUE}
env: {variables: {B: two, <<: *base}}
phases: {build: {<<: *build, on-failure: ABORT}}
"""
    assert build(one_pod, text).status == "Succeeded"
    assert "one-two" in lines(one_pod)


@pytest.mark.parametrize("region", ["eu-west-1", ""])
def test_definition_10_region_is_known_without_a_role(one_pod: Pod, region: str) -> None:
    command = 'echo "r=$AWS_DEFAULT_REGION $AWS_REGION"'
    build(one_pod, spec({"build": [command]}), region=region)
    assert f"r={region} {region}" in lines(one_pod)


def test_definition_10_variable_of_the_project_comes_first(one_pod: Pod) -> None:
    build(
        one_pod,
        spec({"build": ["echo r=$AWS_REGION"]}),
        region="eu-west-1",
        environment={"AWS_REGION": "us-east-1"},
    )
    assert "r=us-east-1" in lines(one_pod)


LIBRARY = ["mkdir lib", "echo code > lib/libdemo.so.1.2", "ln -s libdemo.so.1.2 lib/libdemo.so"]
RELEASES = ["mkdir -p releases/42/deep", "echo x > releases/42/deep/f", "ln -s releases/42 current"]


def content(pod: Pod, name: str, tmp_path: Path) -> dict[str, str]:
    """Return path to content of an artifact's files, ``-> target`` of its links."""
    tree(pod, name, tmp_path)
    target = tmp_path / f"unpacked-{name}"
    found = sorted(path for path in target.rglob("*") if path.is_symlink() or path.is_file())
    texts = {str(path.relative_to(target)): path for path in found}
    return {
        name: f"-> {path.readlink()}" if path.is_symlink() else path.read_text().strip()
        for name, path in texts.items()
    }


@pytest.mark.parametrize(
    ("commands", "artifacts", "expected"),
    [
        (LIBRARY, {"files": ["lib/libdemo.so"]}, {"lib/libdemo.so": "code"}),
        (RELEASES, {"files": ["**/*"], "base-directory": "current"}, {"deep/f": "x"}),
        (RELEASES, {"files": ["**/*"], "base-directory": "cur*"}, {"deep/f": "x"}),
        (RELEASES, {"files": ["current/**/*"]}, {"current/deep/f": "x"}),
        (["ln -s $PWD/a.txt absolute"], {"files": ["absolute"]}, {"absolute": "a"}),
        (
            ["ln -s a.txt one", "ln -s one two"],
            {"files": ["two"], "discard-paths": "yes"},
            {"two": "a"},
        ),
        (["mkdir d", "ln -s .. d/up"], {"files": ["**/*"]}, {"a.txt": "a"}),
        (["ln -s none dangling", "ln -s round round"], {"files": ["**/*"]}, {"a.txt": "a"}),
        (["ln -s /etc out"], {"files": ["a.txt"]}, {"a.txt": "a"}),
        (
            LIBRARY,
            {"files": ["lib/**/*"], "enable-symlinks": "yes"},
            {"lib/libdemo.so": "-> libdemo.so.1.2", "lib/libdemo.so.1.2": "code"},
        ),
    ],
)
def test_bug_16_links_are_followed_unless_they_are_kept(
    one_pod: Pod,
    tmp_path: Path,
    commands: list[str],
    artifacts: dict[str, Any],
    expected: dict[str, str],
) -> None:
    assert build(one_pod, spec({"build": commands}, artifacts=artifacts), "Out").message == ""
    assert content(one_pod, "Out", tmp_path) == expected


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        (["ln -s /etc/hostname out"], '"out" is a symbolic link that leads out of the workspace'),
        (
            ["ln -s ../../../../etc/hostname out"],
            '"out" is a symbolic link that leads out of the workspace',
        ),
        (["ln -s none out"], NOTHING_FOUND),
        (["ln -s out out"], NOTHING_FOUND),
    ],
)
def test_bug_16_link_that_cannot_be_followed_is_told(
    one_pod: Pod, commands: list[str], why: str
) -> None:
    result = build(one_pod, spec({"build": commands}, artifacts={"files": ["out"]}), "Out")
    assert (result.status, why in result.message) == ("Failed", True)
    assert why != NOTHING_FOUND or any(
        'Warning: "out" is a symbolic link' in line for line in lines(one_pod)
    )


@pytest.mark.parametrize(
    ("commands", "files", "expected"),
    [
        (LIBRARY, ("lib/libdemo.so",), {"lib/libdemo.so": "code"}),
        (RELEASES, ("current/**",), {"current/deep/f": "x"}),
        (RELEASES, ("current",), {"current/deep/f": "x"}),
        (
            LIBRARY,
            (),
            {"a.txt": "a", "lib/libdemo.so": "-> libdemo.so.1.2", "lib/libdemo.so.1.2": "code"},
        ),
        (
            [*LIBRARY, "ln -s /etc out"],
            ("lib/*",),
            {"lib/libdemo.so": "code", "lib/libdemo.so.1.2": "code"},
        ),
    ],
)
def test_bug_16_files_of_a_commands_action_are_what_links_lead_to(
    one_pod: Pod,
    tmp_path: Path,
    commands: list[str],
    files: tuple[str, ...],
    expected: dict[str, str],
) -> None:
    source = one_pod.put_input("Source", {"a.txt": "a"})
    wanted = request(script=script(*commands), inputs=(source,), outputs=(order("Out", *files),))
    assert one_pod.run(wanted).message == ""
    assert content(one_pod, "Out", tmp_path) == expected


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("ln -s none out", '"out" is a symbolic link to something that is not there'),
        ("ln -s out out", '"out" is a symbolic link that leads round in a circle'),
        ("ln -s /etc out", '"out" is a symbolic link that leads out of the workspace (-> /etc)'),
        (
            "mkdir a; ln -s a/../.. out",
            '"out" is a symbolic link that leads out of the workspace (-> a/../..)',
        ),
        (
            "ln -s ../../report out",
            '"out" is a symbolic link that leads out of the workspace (-> ../../report)',
        ),
        ("ln -s . out", '"out" is met again below itself, by a symbolic link'),
        (
            "mkdir out; ln -s ../out out/in",
            '"out/in" is met again below itself, by a symbolic link',
        ),
    ],
)
def test_bug_16_commands_action_never_packs_a_link_to_nothing(
    one_pod: Pod, command: str, why: str
) -> None:
    result = one_pod.run(request(script=script(command), outputs=(order("Out", "out"),)))
    assert (result.code, why in result.message) == ("JobFailed", True), result.message


def exported(pod: Pod) -> ActionResult:
    commands = ["umask 077", "export TAG=1.2.3"]
    return build(
        pod, spec({"pre_build": commands, "build": ["true"]}, env={"exported-variables": ["TAG"]})
    )


def commanded(pod: Pod) -> ActionResult:
    return pod.run(request(script=script("umask 077", "TAG=1.2.3", output_variables=("TAG",))))


@pytest.mark.parametrize("run", [exported, commanded])
def test_bug_17_variables_arrive_whatever_the_umask(
    pod: Pod, run: Callable[[Pod], ActionResult]
) -> None:
    result = run(pod)
    assert (result.status, dict(result.variables)) == ("Succeeded", {"TAG": "1.2.3"})
    files = list((pod.paths.workspace / "report/variables").iterdir())
    assert [path.stat().st_mode & 0o444 for path in files] == [0o444]


@pytest.mark.parametrize("name", ["variables/TAG", "command"])
def test_bug_17_what_cannot_be_read_is_no_absence(
    one_pod: Pod, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = os.open

    def refuse(path: Any, *arguments: Any, **fields: Any) -> int:
        if path == name.rpartition("/")[2] and "dir_fd" in fields:
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **fields)

    monkeypatch.setattr("penstock.agent.script.script_output.os.open", refuse)
    result = one_pod.run(request(script=script("TAG=1", "false" if name == "command" else "true",
                                               output_variables=("TAG",))))  # fmt: skip
    assert result.status == "Failed"
    assert (
        f'"{name.rpartition("/")[2]}" in the action\'s report cannot be read by the agent'
        in result.message
    )
    assert "mode 0" in result.message


def test_bug_17_folder_that_cannot_be_read_is_no_empty_one(
    one_pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("/closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("penstock.actions.codebuild.artifacts.os.scandir", refuse)
    text = spec({"build": ["mkdir closed"]}, artifacts={"files": ["**/*"]})
    result = build(one_pod, text, "Out")
    assert 'the folder "closed" cannot be read by the agent: Permission denied' in result.message


@pytest.mark.parametrize("limit", [5, 6, 20, 99, 500])
@pytest.mark.parametrize(
    "text", ["x" * 600, "é" * 300, "\ud800" * 200, "begin " + "y" * 1000 + " the end"]
)
def test_bug_09_shortened_text_keeps_both_ends(text: str, limit: int) -> None:
    found = shorten(text, limit)
    assert len(found.encode()) <= limit
    if limit >= 20 and text.startswith("begin"):
        assert found.startswith("begin") and found.endswith("the end"[-5:])
