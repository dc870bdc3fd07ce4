"""The environment of a build (B-13, B-70): what has an honest value is there,
what has none is not.
"""

from pathlib import Path

from penstock.api.contract.contracts import Build, StoreLocation
from tests.unit.agent.pod import Pod, request
from tests.unit.agent.test_codebuild import spec


def shown(pod: Pod, *inputs: str, primary: str = "", **fields: object) -> dict[str, str]:
    """Return the variables that a build sees whose names AWS reserves."""
    wanted = Build("web", "debian:12", spec({"build": ["env | grep ^CODEBUILD_"]}), **fields)  # type: ignore[arg-type]
    sources = tuple(pod.put_input(name, {"a.txt": name}) for name in inputs)
    configuration = {"PrimarySource": primary} if primary else {}
    action = request(
        provider="codebuild",
        build=wanted,
        inputs=sources,
        configuration=configuration,
        store=StoreLocation("bucket"),
    )
    assert pod.run(action).status == "Succeeded"
    lines = [line for line in pod.stdout.splitlines() if line.startswith("CODEBUILD_")]
    return dict(line.split("=", 1) for line in lines)


def test_reserved_variables_have_their_values(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    found = shown(
        pod,
        "Source",
        source_revision="abc",
        started_ms=1795262400123,
        overrides={"CODEBUILD_BUILD_ID": "mine"},
    )
    assert found == {
        "CODEBUILD_BUILD_ID": "web:r-uid-1-1",
        "CODEBUILD_BUILD_IMAGE": "debian:12",
        "CODEBUILD_BUILD_NUMBER": "1795262400",
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": "codepipeline/shop",
        "CODEBUILD_LOG_PATH": "logs/p-uid/r-uid/Build/Compile/1/pod-1",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "abc",
        "CODEBUILD_SOURCE_VERSION": "arn:aws:s3:::bucket/in/Source",
        "CODEBUILD_SRC_DIR": str(pod.paths.workspace / "src/Source"),
        "CODEBUILD_START_TIME": "1795262400123",
    }


def test_several_inputs_have_folders_and_versions_by_their_names(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    found = shown(pod, "Source", "Lib.x-1", primary="Lib.x-1")
    folders = pod.paths.workspace / "src"
    assert found["CODEBUILD_SRC_DIR"] == str(folders / "Lib.x-1")
    assert found["CODEBUILD_SRC_DIR_Source"] == str(folders / "Source")
    assert found["CODEBUILD_SOURCE_VERSION"].endswith("/in/Lib.x-1")
    assert found["CODEBUILD_SOURCE_VERSION_Source"].endswith("/in/Source")
    assert "CODEBUILD_RESOLVED_SOURCE_VERSION" not in found
