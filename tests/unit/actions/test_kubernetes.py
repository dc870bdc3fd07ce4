"""The Kubernetes deploy against an API server of a few lines; the real one is met in e2e."""

from pathlib import Path
from typing import Any

import pytest

from penstock.actions.execution import ActionError, Outcome
from penstock.actions.kubernetes.execution import run
from penstock.actions.kubernetes.live import server as server_module
from penstock.actions.kubernetes.live.session import Session
from penstock.actions.kubernetes.manifests.files import read_manifests
from tests.unit.actions.api_server import ApiServer
from tests.unit.actions.kubernetes_jobs import (
    CONFIG_MAP,
    DEPLOYMENT,
    ROLLED_OUT,
    failure,
    job_for,
    never,
)

BACK_OFF = {
    "metadata": {"name": "web-1"},
    "status": {
        "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    },
}


def test_objects_are_applied_in_order_and_waited_for(api: ApiServer, tmp_path: Path) -> None:
    api.statuses["web"] = lambda reads: ROLLED_OUT if reads > 2 else {}
    webhook = (
        "apiVersion: admissionregistration.k8s.io/v1\nkind: "
        "ValidatingWebhookConfiguration\nmetadata: {name: w}\n"
    )
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    job = job_for(
        tmp_path,
        {"all.yaml": "---\n".join([webhook, DEPLOYMENT, CONFIG_MAP, namespace])},
        Namespace="shop",
    )
    assert run(job) == Outcome(summary="4 objects applied to namespace shop")
    assert [path.split("/")[-2:] for path in api.written] == [
        ["namespaces", "shop"],
        ["configmaps", "settings"],
        ["deployments", "web"],
        ["validatingwebhookconfigurations", "w"],
    ]
    assert api.queries[1] == {
        "fieldManager": ["penstock"],
        "force": ["false"],
        "fieldValidation": ["Strict"],
    }
    assert "deployment.apps/web applied" in job.lines
    assert "waiting: Deployment web: replicas: 0/1" in job.lines


def test_namespace_defaults_to_the_runs_own_and_dates_stay_text(
    api: ApiServer, tmp_path: Path
) -> None:
    run(job_for(tmp_path, {"a.yaml": CONFIG_MAP}))
    found = api.objects["/api/v1/namespaces/team/configmaps/settings"]
    assert (found["metadata"]["namespace"], found["data"]) == (
        "team",
        {"since": "2020-01-02", "m": "1"},
    )


def test_object_of_another_namespace_than_the_target_is_refused(
    api: ApiServer, tmp_path: Path
) -> None:
    text = CONFIG_MAP.replace("settings}", "settings, namespace: other}")
    code, message = failure(job_for(tmp_path, {"a.yaml": text}, Namespace="shop"))
    assert (code, "names namespace other, the action shop" in message) == (
        "ConfigurationError",
        True,
    )


def test_resource_of_a_definition_in_the_same_artifact_waits_for_it(
    api: ApiServer, tmp_path: Path
) -> None:
    def established(reads: int) -> dict[str, Any]:
        if reads < 2:
            return {}
        api.kinds["/apis/example.com/v1"] = [("Widget", "widgets", True)]
        return {"conditions": [{"type": "Established", "status": "True"}]}

    api.statuses["widgets.example.com"] = established
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: "
        "widgets.example.com}\n"
        "spec: {group: example.com, scope: Namespaced, names: {kind: Widget, plural: widgets},\n"
        "  versions: [{name: v1}]}\n"
    )
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\n"
    job = job_for(tmp_path, {"a.yaml": widget, "b.yaml": definition})
    run(job)
    assert (
        "  + widget.example.com/one (not tried first: its kind comes with this deploy)" in job.lines
    )
    assert api.written[-1] == "/apis/example.com/v1/namespaces/team/widgets/one"


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        (
            (403, "Forbidden", "configmaps is forbidden"),
            "PermissionError",
            "configmaps is forbidden",
        ),
        ((422, "Invalid", "data is wrong"), "ConfigurationError", "data is wrong"),
        ((400, "BadRequest", 'unknown field "dta"'), "ConfigurationError", 'unknown field "dta"'),
        (
            (
                500,
                "",
                "failed to create typed patch object (x): .dta: field not declared in schema",
            ),
            "ConfigurationError",
            "failed to create typed patch object (x): .dta: field not declared in schema",
        ),
        (
            (409, "Conflict", 'conflict with "kubectl"'),
            "ApplyConflict",
            'conflict with "kubectl"; set ForceConflicts to "true" to take these fields over',
        ),
    ],
)
def test_refusal_gives_the_servers_sentence_with_file_and_document(
    api: ApiServer, tmp_path: Path, refusal: tuple[int, str, str], code: str, message: str
) -> None:
    api.refusals["settings"] = refusal
    job = job_for(tmp_path, {"k8s/a.yaml": DEPLOYMENT.replace("web", "x") + "---\n" + CONFIG_MAP})
    assert failure(job) == (code, f"k8s/a.yaml, document 2: ConfigMap settings: {message}")


def test_refused_secret_shows_no_value(api: ApiServer, tmp_path: Path) -> None:
    """GHSA-3v3m-wc6v-x4x3: rendered objects of kind Secret are never echoed."""
    api.refusals["s"] = (400, "BadRequest", 'cannot decode "value-canary"')
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: value-canary}\n"
    assert failure(job_for(tmp_path, {"a.yaml": text})) == (
        "ConfigurationError",
        "a.yaml, document 1: Secret s: BadRequest (the server's sentence is withheld: it may quote "
        "a value)",
    )


def test_failed_rollout_gives_the_objects_reason_and_its_pods(
    api: ApiServer, tmp_path: Path
) -> None:
    progressing = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "too slow",
    }
    api.statuses["web"] = lambda reads: {"conditions": [progressing]} if reads > 1 else {}
    api.pods = [BACK_OFF]
    assert failure(job_for(tmp_path, {"a.yaml": DEPLOYMENT})) == (
        "JobFailed",
        "Deployment web: ProgressDeadlineExceeded: too slow (pod web-1: container app: "
        "ImagePullBackOff)",
    )


def test_object_that_is_never_ready_times_out_with_its_reason(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.pods = [BACK_OFF]
    monkeypatch.setattr(Session, "pause", lambda session, _: setattr(session, "_deadline", 0.0))
    code, message = failure(job_for(tmp_path, {"a.yaml": DEPLOYMENT}))
    assert code == "TimedOut"
    assert message.endswith(
        "Deployment web: replicas: 0/1 (pod web-1: container app: ImagePullBackOff)"
    )


def test_server_that_is_busy_is_asked_again(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module.Server, "_pause", lambda *_: None)
    api.failures = 2
    assert (
        run(job_for(tmp_path, {"a.yaml": CONFIG_MAP})).summary
        == "1 objects applied to namespace team"
    )


def test_server_that_does_not_answer_is_told(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_address", lambda: "http://127.0.0.1:1")
    monkeypatch.setattr(server_module.Server, "_pause", lambda *_: None)
    code, message = failure(job_for(tmp_path, {"a.yaml": CONFIG_MAP}))
    assert (code, "the API server could not be reached" in message) == ("SystemUnavailable", True)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", ["ConfigMap"]),
        ("k8s", ["ConfigMap"]),
        ("k8s/*.yaml , k8s/b.json", ["ConfigMap"]),
    ],
)
def test_manifest_files_are_files_folders_and_globs(
    tmp_path: Path, wanted: str, found: list[str]
) -> None:
    job_for(
        tmp_path,
        {
            "k8s/a.yaml": CONFIG_MAP,
            "k8s/b.json": '{"apiVersion":"v1","kind":"List","items":[]}',
            "package.json": "{}" if not wanted else "{",
            ".github/ci.yaml": "on: push",
            "README.md": "#",
        },
    )
    manifests, skipped = read_manifests(tmp_path / "input", wanted, never)
    assert [item.kind for item in manifests] == found
    assert skipped == ([] if wanted else ["package.json, document 1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: ConfigMap\n", "a.yaml, document 1: apiVersion or kind is missing"),
        (
            "apiVersion: v1\nkind: ConfigMap\n",
            "a.yaml, document 1: ConfigMap: metadata.name is missing",
        ),
        (CONFIG_MAP + "---\n- 1\n", "a.yaml, document 2: apiVersion or kind is missing"),
        ("a: [\n", "a.yaml, line 2: not YAML: did not find expected node content"),
        (
            "a: !!python/object/apply:os.system ['id']\n",
            "a.yaml, document 1: apiVersion or kind is missing",
        ),
        ("# nothing\n", "the input artifact holds no manifest"),
    ],
)
def test_manifest_that_is_none_names_file_and_document(
    tmp_path: Path, text: str, message: str
) -> None:
    job_for(tmp_path, {"a.yaml": text})
    with pytest.raises(ActionError) as caught:
        read_manifests(tmp_path / "input", "a.yaml", never)
    assert (caught.value.code, caught.value.message[: len(message)]) == (
        "ConfigurationError",
        message,
    )


def test_aliases_that_blow_up_are_refused(tmp_path: Path) -> None:
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata: {name: x}", "a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    job_for(tmp_path, {"a.yaml": "\n".join(lines)})
    with pytest.raises(ActionError, match="more than 500000 nodes"):
        read_manifests(tmp_path / "input", "", never)


@pytest.mark.parametrize("wanted", ["none.yaml", "../x.yaml", "/etc/x.yaml", "k8s/*.yml"])
def test_manifest_files_that_match_nothing_are_named(tmp_path: Path, wanted: str) -> None:
    job_for(tmp_path, {"k8s/a.yaml": CONFIG_MAP})
    with pytest.raises(ActionError) as caught:
        read_manifests(tmp_path / "input", wanted, never)
    assert (caught.value.code, wanted in caught.value.message) == ("ConfigurationError", True)


def test_unknown_kind_names_file_and_version(api: ApiServer, tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Confmap\nmetadata: {name: x}\n"
    assert failure(job_for(tmp_path, {"a.yaml": text})) == (
        "ConfigurationError",
        'a.yaml, document 1: no kind "Confmap" in version "v1"',
    )
