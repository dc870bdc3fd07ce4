"""CodeBuild's oracle scenarios (O-34..O-39, O-41..O-45) in action pods, on
Debian and on busybox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster import Cluster
from tests.e2e.builds import IMAGES, Built, Case, action, built
from tests.e2e.conftest import Team, commands, git, stage
from tests.support.kube import Document, Kube, eventually

TREES = ("my-build1/my-file-1.txt", "my-build2/my-file-2.txt", "my-build2/sub/my-file-3.txt")
FAILED = "Build terminated with state: FAILED"
NO_MATCH = f"{FAILED}: UPLOAD_ARTIFACTS: CLIENT_ERROR Message: no matching artifact paths found"
MARKER = 'echo "$CODEBUILD_BUILD_SUCCEEDING" > marker'
SECONDARY = {
    "files": "a.txt",
    "secondary-artifacts": {"One": {"files": "a.txt"}, "Two": {"files": ["b.txt"]}},
}


def spec(phases: Document, *, version: float = 0.2, **rest: object) -> str:
    wrapped = {
        name: {"commands": body} if isinstance(body, list) else body
        for name, body in phases.items()
    }
    return yaml.safe_dump({"version": version, "phases": wrapped, **rest})


def tree(**fields: object) -> str:
    return spec({"build": ["true"]}, artifacts=fields)


def variables(**values: str) -> Document:
    """Return the configuration that gives an action variables of its own."""
    given = [{"name": name, "value": value} for name, value in values.items()]
    return {"EnvironmentVariables": json.dumps(given)}


VARIABLES = {"A": "spec", "B": "spec", "C": "spec", "PATH": "$PATH:/x"}
BOTH = spec({"build": ["cat extra.txt", 'cat "$CODEBUILD_SRC_DIR_Source/a.txt"']})
CASES = {
    "o-35-equal": Case(spec({"build": ["touch b.txt"]}, artifacts=SECONDARY), ("One", "Two")),
    "o-35-different": Case(
        spec({"build": ["touch b.txt"]}, artifacts=SECONDARY), ("Other", "Another")
    ),
    "o-36": Case(
        spec({"build": ["false"], "post_build": [MARKER]}, artifacts={"files": "**/*"}), ("o36",)
    ),
    "o-37": Case(
        spec(
            {"install": ["exit 4"], "build": ["touch b"], "post_build": ["touch p"]},
            artifacts={"files": "*"},
        ),
        ("o37",),
    ),
    "o-38": Case(
        spec(
            {"build": {"commands": ["false"], "on-failure": "ABORT"}, "post_build": ["echo after"]}
        )
    ),
    "o-39-runs": Case(
        spec({"build": {"commands": ["exit 3", "echo next"], "finally": ["echo at-last"]}})
    ),
    "o-39-fails": Case(spec({"build": {"commands": ["true"], "finally": ["exit 5"]}})),
    "o-41-set-e": Case(spec({"build": ["set -e", "false", "echo next"]})),
    "o-41-exit": Case(spec({"build": ["exit 3"]})),
    "o-41-block": Case(spec({"build": ["true\nfalse\ntrue\n"]})),
    "o-42": Case(spec({"build": ["true"]}, artifacts={"files": ["*.jar"]}), ("o42",)),
    "o-43-flat": Case(
        tree(**{"files": "**/*", "base-directory": "my-build*", "discard-paths": "yes"}),
        ("o43flat",),
    ),
    "o-43-star": Case(
        tree(**{"files": "*/my-file-3.txt", "base-directory": "my-build2"}), ("o43star",)
    ),
    "o-44": Case(
        spec(
            {"build": ['echo "$PATH"', "exit 0"]},
            env={"variables": VARIABLES, "exported-variables": list(VARIABLES)},
        ),
        configuration=variables(A="action"),
    ),
    "o-45": Case(
        spec(
            {"install": ["export V=1"], "post_build": ["V=2"]},
            env={"exported-variables": ["V", "UNSET"]},
        )
    ),
    "b-05": Case(spec({"build": ["cd /; X=1", 'echo "[$X] ${PWD##*/}"']}, version=0.1)),
    "b-10": Case(
        spec({"build": ["a=(1 2); [[ ${#a[@]} == 2 ]] && echo bash"]}, env={"shell": "bash"})
    ),
    "b-28": Case(
        spec(
            {
                "install": {"commands": ["false"], "on-failure": "CONTINUE"},
                "build": ["echo went on"],
            }
        )
    ),
    "p-10": Case(
        "",  # the primary source has none, so the action brings it along
        configuration={"PrimarySource": "Extra", "BuildspecOverride": BOTH},
        inputs=("Source", "Extra"),
    ),
    "p-13": Case(
        spec({"build": ['echo "$CODEBUILD_RESOLVED_SOURCE_VERSION $CODEBUILD_INITIATOR"']})
    ),
}


@pytest.fixture(scope="module", params=list(IMAGES))
def image(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def builds(image: str, cluster: Cluster, kube: Kube) -> Iterator[Built]:
    files = {"a.txt": "a\n", **dict.fromkeys(TREES, "x")}
    with built(cluster, kube, f"{image}", CASES, files) as done:
        yield done


def test_oracle_o_34_two_inputs_without_a_primary_source_are_refused(team: Team) -> None:
    source = git("Checkout", "http://git.example/x.git")
    extra = commands("Make", "true", outputArtifacts=[{"name": "Extra"}])
    build = action("Compile", Case("", inputs=("Source", "Extra")))
    team.pipeline("web", stage("Source", source, extra), stage("Build", build))
    ready = eventually(
        lambda: team.condition("pipelines", "web", "Ready"), 20, "the pipeline is judged"
    )
    assert ready["status"] == "False"
    assert "required with more than one input artifact (P-10)" in ready["message"]


def test_oracle_o_35_secondary_identifiers_are_the_output_artifacts(builds: Built) -> None:
    assert (list(builds.files("o-35-equal", "One")), list(builds.files("o-35-equal", "Two"))) == (
        ["a.txt"],
        ["b.txt"],
    )
    assert 'no artifacts for the output artifact "Other" (P-11)' in builds.message("o-35-different")


def test_oracle_o_36_post_build_and_upload_follow_a_failed_build(builds: Built) -> None:
    assert builds.message("o-36") == f"{FAILED}: BUILD: Command failed with exit code 1: false"
    assert builds.files("o-36")["marker"] == "0\n"
    assert builds.row("o-36")["externalExecutionId"].startswith("any:")


def test_oracle_o_37_nothing_follows_a_failed_install(builds: Built) -> None:
    assert builds.message("o-37") == f"{FAILED}: INSTALL: Command failed with exit code 4: exit 4"
    assert builds.uploads("o-37") == []
    assert "[Container] Entering phase BUILD" not in builds.log("o-37")


def test_oracle_o_38_abort_skips_post_build(builds: Built) -> None:
    assert builds.message("o-38").startswith(f"{FAILED}: BUILD")
    assert "after" not in builds.log("o-38")


def test_oracle_o_39_finally_runs_and_counts(builds: Built) -> None:
    assert "BUILD: Command failed with exit code 3: exit 3" in builds.message("o-39-runs")
    assert {"at-last", "next"} & set(builds.log("o-39-runs")) == {"at-last"}
    assert "BUILD: Command failed with exit code 5: exit 5" in builds.message("o-39-fails")


def test_oracle_o_41_shells_that_end(builds: Built) -> None:
    assert builds.message("o-41-set-e").endswith("Command failed with exit code 1: false")
    assert builds.message("o-41-exit").endswith("Command failed with exit code 3: exit 3")
    assert builds.row("o-41-block")["status"] == "Succeeded"


def test_oracle_o_42_nothing_to_upload_fails(builds: Built) -> None:
    assert builds.message("o-42") == NO_MATCH
    assert "[Container] Skipping invalid file path *.jar" in builds.log("o-42")


def test_oracle_o_43_trees(builds: Built) -> None:
    assert list(builds.files("o-43-flat")) == ["my-file-1.txt", "my-file-2.txt", "my-file-3.txt"]
    assert list(builds.files("o-43-star")) == ["sub/my-file-3.txt"]


def test_oracle_o_44_action_over_project_over_buildspec(builds: Built) -> None:
    row = builds.row("o-44")
    assert row["outputVariables"] == {
        "A": "action",
        "B": "project",
        "C": "spec",
        "PATH": "$PATH:/x",
    }, row
    assert "$PATH:/x" in builds.log("o-44")


def test_oracle_o_45_last_value_is_exported(builds: Built) -> None:
    assert builds.row("o-45")["outputVariables"] == {"V": "2"}


def test_b_05_commands_of_version_0_1_have_shells_of_their_own(builds: Built) -> None:
    assert "[] Source" in builds.log("b-05")


def test_b_10_bash_runs_where_the_image_has_it(builds: Built, image: str) -> None:
    if image == "debian":
        assert "bash" in builds.log("b-10")
    else:
        assert builds.message("b-10").startswith("env.shell: the image has no bash")


def test_b_28_continue_goes_on_and_the_build_has_failed(builds: Built) -> None:
    assert "went on" in builds.log("b-28")
    assert builds.message("b-28").startswith(f"{FAILED}: INSTALL")


def test_p_10_primary_source_is_the_folder_of_the_build(builds: Built) -> None:
    assert [line for line in builds.log("p-10") if line in ("extra", "a")] == ["extra", "a"]


def test_p_13_build_knows_revision_and_initiator(builds: Built) -> None:
    (revision,) = builds.team.status()["artifactRevisions"]
    assert f"{revision['revisionId']} codepipeline/builds" in builds.log("p-13")
