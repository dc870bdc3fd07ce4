"""The wrapper by itself: what kubelet and images demand of it, and how it
meets an agent that is late or gone.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.agent.script.control import Control
from penstock.api.contract.contracts import ActionResult
from penstock.api.contract.wrapper import NOT_READY, NOT_RELEASED, WRAPPER
from tests.unit.agent.pod import LIMITS, SHELLS, Pod, is_root, request, script


@pytest.fixture(params=SHELLS)
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(tmp_path / "pod", SHELLS[request.param], in_namespace=is_root())


def test_wrapper_holds_nothing_that_the_kubelet_rewrites() -> None:
    assert "$(" not in WRAPPER
    assert "$$" not in WRAPPER
    assert (f"exit {NOT_READY}" in WRAPPER, f"exit {NOT_RELEASED}" in WRAPPER) == (True, True)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
def test_wrapper_is_correct_shell(shell: list[str]) -> None:
    done = subprocess.run([*shell, "-n", "-c", WRAPPER], capture_output=True, timeout=10)
    assert (done.returncode, done.stderr) == (0, b"")


def test_action_that_starts_first_waits_for_the_agent(pod: Pod) -> None:
    wrapper = pod.start_action()
    time.sleep(0.15)
    assert wrapper.poll() is None
    pod.paths.request.write_text(request(script=script("echo hi")).encode())
    assert pod.run_agent().status == "Succeeded"
    assert wrapper.wait(timeout=10) == 0


def test_action_that_starts_after_the_agent_has_gone_ends_without_running(pod: Pod) -> None:
    Control(pod.paths.control).close()
    (pod.paths.control / "script").write_text(f"touch {pod.root}/ran")
    assert pod.start_action().wait(timeout=10) == NOT_RELEASED
    assert not (pod.root / "ran").exists()


def test_agent_that_dies_takes_the_running_action_with_it(pod: Pod) -> None:
    control = Control(pod.paths.control)
    (pod.paths.control / "script").write_text(f"touch {pod.root}/ran; sleep 60; sleep 60")
    wrapper = pod.start_action()
    control.release()
    wait_for(pod.root / "ran")
    control.close()
    assert wrapper.wait(timeout=10) in (137, -9)


def test_interrupt_is_not_ignored_by_commands(pod: Pod) -> None:
    result = pod.run(request(script=script("kill -INT $$; echo never")))
    assert (result.status, result.exit_code) == ("Failed", 130)


def test_image_without_sleep_still_meets_the_agent(tmp_path: Path, pod: Pod) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dash", "bash", "busybox"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    pod.shell = ["env", f"PATH={tmp_path}/bin", *pod.shell]
    wrapper = pod.start_action()
    pod.paths.request.write_text(request(script=script("echo hi")).encode())
    assert pod.run_agent().status == "Succeeded"
    assert wrapper.wait(timeout=10) == 0


def test_pod_that_is_deleted_ends_the_action_and_reports_no_success(tmp_path: Path) -> None:
    pod = Pod(tmp_path / "pod", in_namespace=is_root())
    commands = script(
        f"trap 'touch {pod.root}/term; exit 0' TERM; touch {pod.root}/ran; sleep 60 & wait"
    )
    wanted = request(script=commands, limits=LIMITS._replace(grace_s=10))
    pod.paths.request.write_text(wanted.encode())
    pod.start_action()
    program = str(Path(__file__).with_name("agent_program.py"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    agent = subprocess.Popen(
        [sys.executable, program, str(pod.root)], env=environment, stdout=subprocess.DEVNULL
    )
    wait_for(pod.root / "ran")
    agent.terminate()
    assert agent.wait(timeout=10) == 0
    result = ActionResult.decode(pod.paths.termination.read_text())
    assert (result.status, result.code) == ("Lost", "PodTerminated")
    assert (pod.root / "term").exists()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
