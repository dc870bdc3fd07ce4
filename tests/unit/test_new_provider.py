"""A new provider is a folder: engine and agent take one from outside of the package as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penstock.actions
from penstock.actions.declaration import declarations
from penstock.api.contract.contracts import REQUEST_ANNOTATION, ActionRequest
from penstock.engine.commands import CreateJob
from penstock.engine.definition.rules import job_rules
from penstock.engine.definition.validation import validate
from tests.unit.agent.pod import Pod, request
from tests.unit.engine.simulation import World, stage

PROVIDERS = Path(__file__).parents[1] / "support/providers"


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the folder of this provider be one more of those in which providers are looked for."""
    monkeypatch.setattr(penstock.actions, "__path__", [*penstock.actions.__path__, str(PROVIDERS)])
    forget()
    yield
    monkeypatch.undo()
    forget()


def forget() -> None:
    declarations.cache_clear()
    job_rules.cache_clear()


def greeting(**configuration: str) -> dict[str, Any]:
    type_id = {"category": "Invoke", "owner": "ThirdParty", "provider": "Greeting", "version": "1"}
    return {"name": "Greet", "actionTypeId": type_id, "configuration": configuration}


def problems(world: World) -> list[str]:
    assert world.pipeline and world.pipeline.spec
    return [
        str(found)
        for found in validate(world.pipeline.spec, world.types(), has_default_store=True).problems
    ]


def test_engine_validates_what_the_folder_declares() -> None:
    assert problems(World.of(stage("Prod", greeting(Name="team")))) == []
    (missing,) = problems(World.of(stage("Prod", greeting())))
    assert "spec.stages[0].actions[0].configuration.Name" in missing


def test_engine_makes_its_job_and_the_agent_runs_it(tmp_path: Path) -> None:
    world = World.of(stage("Prod", greeting(Name="team")))
    world.start()
    (job,) = (item.manifest for item in world.plan().commands if isinstance(item, CreateJob))
    asked = ActionRequest.decode(
        job["spec"]["template"]["metadata"]["annotations"][REQUEST_ANNOTATION]
    )
    pod = Pod(tmp_path)
    result = pod.run(request(provider=asked.provider, configuration=asked.configuration))
    assert (result.status, result.variables) == ("Succeeded", {"Greeted": "team"})
    assert "hello, team" in pod.stdout


def test_its_failure_is_the_actions(tmp_path: Path) -> None:
    result = Pod(tmp_path).run(request(provider="greeting", configuration={"Name": "nobody"}))
    assert (result.status, result.code, result.message) == (
        "Failed",
        "JobFailed",
        "there is nobody to greet",
    )


def test_its_rule_is_one_of_the_conditions() -> None:
    rule = {
        "name": "R",
        "ruleTypeId": {"category": "Rule", "provider": "GreetingCheck"},
        "configuration": {"Name": "team"},
    }
    condition = {"conditions": [{"result": "FAIL", "rules": [rule]}]}
    assert (
        problems(World.of({**stage("Prod", greeting(Name="team")), "beforeEntry": condition})) == []
    )
