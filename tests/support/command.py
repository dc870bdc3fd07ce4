"""The penstock command in this process, against a local server: its exit
code, and what it prints.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import main
from tests.support.fake_api import Api, Document, Seen, serving

NAMESPACE = "team"
GROUP = f"/apis/penstock.dev/v1alpha1/namespaces/{NAMESPACE}"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
TIME = "2026-11-21T12:00:00.000Z"


@dataclass
class Command:
    """The command and the server that it talks to."""

    api: Api
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run it; return exit code, stdout and stderr."""
        self.capture.readouterr()
        self.patch.setattr(sys, "argv", ["penstock", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
            raise SystemExit(0)
        out, err = self.capture.readouterr()
        return int(ended.value.code or 0), out, err

    def have(self, plural: str, *objects: Document) -> None:
        """Let the namespace have these objects of a kind, and no other."""
        listed = {"kind": "List", "items": list(objects)}
        path = f"{GROUP}/{plural}"
        self.api.answers["GET", path] = lambda seen: (
            200,
            b"" if seen.query.get("watch") else listed,
        )
        for found in objects:
            self.api.put(f"{GROUP}/{plural}/{found['metadata']['name']}", found)

    def written(self) -> list[Seen]:
        """Return what was asked to be changed."""
        return [
            seen
            for seen in self.api.seen
            if seen.method != "GET" and "selfsubject" not in seen.path
        ]


@contextmanager
def commanding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Serve a namespace with nothing in it; what is written is answered as it would be."""
    with serving(None) as api:
        file = folder / "kubeconfig"
        file.write_text(json.dumps(kubeconfig(api.address)))
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.setenv("COLUMNS", "200")
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        command = Command(api, capsys, monkeypatch)
        for plural in ("pipelineruns", "pipelines", "approvals", "stagetransitions"):
            command.have(plural)
        api.put(f"/api/v1/namespaces/{NAMESPACE}", {"kind": "Namespace"})
        user = {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "carol"}}}
        api.answers["POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"] = 201, user
        yield command


def kubeconfig(server: str) -> Document:
    return {
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "contexts": [{"name": "one", "context": {"cluster": "here", "namespace": NAMESPACE}}],
        "current-context": "one",
    }


def run(
    name: str = "run",
    state: str = "Succeeded",
    *stages: Document,
    pipeline: str = "web",
    **status: Any,
) -> Document:
    """Return a PipelineRun as the operator leaves it."""
    times = {} if state in ("", "InProgress") else {"completionTime": TIME}
    found = {
        "startTime": TIME,
        **times,
        "pipelineUid": "p-uid",
        "stageStates": list(stages),
        **status,
    }
    return {
        "kind": "PipelineRun",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": f"{name}-uid", "resourceVersion": "1",
            "creationTimestamp": TIME,
        },
        "spec": {"pipelineRef": {"name": pipeline}},
        "status": {**({"state": state} if state else {}), **found},
    }  # fmt: skip


def stage(name: str, *actions: Document, status: str = "Succeeded", **fields: Any) -> Document:
    return {
        "stageName": name,
        "status": status,
        "startTime": TIME,
        "actionStates": list(actions),
        **fields,
    }


def action(name: str, *rows: Document) -> Document:
    return {"actionName": name, "executions": list(rows)}


def row(status: str = "Succeeded", **fields: Any) -> Document:
    times = {} if status == "InProgress" else {"completionTime": TIME}
    return {"status": status, "startTime": TIME, **times, **fields}


def pipeline(name: str = "web", *stages: str, action: str = "Make", **spec: Any) -> Document:
    """Return a Pipeline whose stages have one action each."""
    kind = {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"}
    made = [
        {"name": stage, "actions": [{"name": action, "actionTypeId": kind, "commands": ["true"]}]}
        for stage in stages or ("Build",)
    ]
    return {
        "kind": "Pipeline",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": "p-uid",
            "creationTimestamp": TIME,
        },
        "spec": {"stages": made, **spec},
    }


def approval(
    name: str, action: str, state: str = "Pending", run: str = "run", created: str = TIME
) -> Document:
    return {
        "kind": "Approval",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"{name}-uid",
        "creationTimestamp": created},
        "spec": {
            "pipelineName": "web", "pipelineExecutionId": "run-uid", "run": run,
            "stageName": "Prod",
            "actionName": action, "attempt": 1, "token": "t", "quorum": 1, "expirationTime": TIME,
        },
        "status": {"state": state},
    }  # fmt: skip


def transition(
    name: str, stage: str, *, enabled: bool = False, pipeline: str = "web", **more: Any
) -> Document:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"{name}-uid",
        "creationTimestamp": TIME,
    }
    marks = {key: more.pop(key) for key in ("labels", "annotations") if key in more}
    spec = {"pipelineName": pipeline, "stageName": stage, "enabled": enabled, **more}
    return {"kind": "StageTransition", "metadata": {**metadata, **marks}, "spec": spec}
