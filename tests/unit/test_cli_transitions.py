"""`penstock transition` changes only what it made itself (gitops 3)."""

from __future__ import annotations

import pytest

from penstock.api.names import child_name
from tests.support.command import GROUP, Command, pipeline, transition
from tests.support.fake_api import Document

SWITCHES = f"{GROUP}/stagetransitions"
OWN = {"app.kubernetes.io/managed-by": "penstock-cli"}
MARKS: list[tuple[Document, str]] = [
    (
        {"annotations": {"argocd.argoproj.io/tracking-id": "b6:x"}},
        "argocd.argoproj.io/tracking-id: b6:x",
    ),
    ({"labels": {"app.kubernetes.io/instance": "b6"}}, "app.kubernetes.io/instance: b6"),
    (
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "b6"}},
        "kustomize.toolkit.fluxcd.io/name: b6",
    ),
    ({"labels": {"helm.toolkit.fluxcd.io/name": "b6"}}, "helm.toolkit.fluxcd.io/name: b6"),
    ({"annotations": {"meta.helm.sh/release-name": "b6"}}, "meta.helm.sh/release-name: b6"),
    ({"labels": {**OWN, "app.kubernetes.io/instance": "b6"}}, "app.kubernetes.io/instance: b6"),
]


@pytest.mark.parametrize(("marks", "told"), MARKS)
def test_gitops_3_switch_that_a_tool_declares_is_left_alone_and_the_tool_is_named(
    penstock: Command, marks: Document, told: str
) -> None:
    own = transition("own", "Prod", reason="mine", labels=OWN)
    penstock.have("pipelines", pipeline("web", "Build", "Prod"))
    penstock.have("stagetransitions", own, transition("freeze", "Prod", reason="incident", **marks))
    code, out, err = penstock("transition", "enable", "web", "Prod", "--wait")
    assert (code, out) == (1, "")
    assert f"StageTransition freeze (incident) is declared by {told}: change it there" in err
    assert not penstock.written(), "all or nothing: what is its own stays, too"


@pytest.mark.parametrize("marks", [{}, {"labels": {"penstock.dev/keep": "true"}}])
def test_gitops_3_switch_that_somebody_wrote_by_hand_is_left_alone(
    penstock: Command, marks: Document
) -> None:
    penstock.have("pipelines", pipeline("web", "Build", "Prod"))
    penstock.have("stagetransitions", transition("freeze", "Prod", **marks))
    code, _, err = penstock("transition", "enable", "web", "Prod")
    assert (code, "freeze was not made by this command: kubectl delete stt freeze" in err) == (
        1,
        True,
    ), err
    assert not penstock.written()


def test_gitops_3_disabling_is_an_object_of_its_own_beside_a_declared_one(
    penstock: Command,
) -> None:
    penstock.have("pipelines", pipeline("web", "Build", "Prod"))
    declared = transition(
        "freeze", "Prod", enabled=True, labels={"app.kubernetes.io/instance": "b6"}
    )
    penstock.have("stagetransitions", declared)
    name = child_name("web", "web", "Prod")
    own = transition(name, "Prod", reason="incident 42", labels=OWN)
    penstock.api.answers["POST", SWITCHES] = 201, own
    assert penstock("transition", "disable", "web", "Prod", "--reason", "incident 42")[0] == 0
    (made,) = penstock.written()
    assert made.body["metadata"] == {"name": name, "labels": OWN}
    assert made.body["spec"]["requestedBy"] == "carol"

    penstock.have("stagetransitions", declared, own)
    penstock.api.answers["PATCH", f"{SWITCHES}/{name}"] = 200, own
    assert penstock("transition", "enable", "web", "Prod")[0] == 0
    changed = penstock.written()[-1]
    assert (changed.path, changed.body["spec"]["enabled"]) == (f"{SWITCHES}/{name}", True)
    assert penstock("transition", "disable", "web", "Prod", "--reason", "again")[0] == 0
    assert penstock.written()[-1].method == "PATCH"


def test_gitops_3_switch_of_its_own_name_that_git_took_over_is_left_alone(
    penstock: Command,
) -> None:
    name = child_name("web", "web", "Prod")
    taken = transition(
        name, "Prod", enabled=True, labels=OWN, annotations={"meta.helm.sh/release-name": "web"}
    )
    penstock.have("pipelines", pipeline("web", "Build", "Prod"))
    penstock.have("stagetransitions", taken)
    code, _, err = penstock("transition", "disable", "web", "Prod", "--reason", "x")
    assert (code, "is declared by meta.helm.sh/release-name: web" in err) == (1, True), err
    assert not penstock.written()
