"""Whatever the API server lets through goes through cache, gatherer and
engine: no object stops its own pass.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from penstock.api.crd.crds import RESOURCES, crd_of
from penstock.cluster.resources import JOBS, PIPELINES, PODS, REVISIONS, Resource
from penstock.controller.cache.cache import KINDS, Cache
from penstock.controller.gather import Gatherer
from penstock.controller.refusals import Refusals
from penstock.engine.plan import plan_pipeline
from penstock.engine.settings import Settings
from tests.fuzz.documents import Schema, document
from tests.fuzz.finding import Finding

BATCH = 20
NOW = datetime(2026, 11, 28, 12, 0, 30, tzinfo=UTC)
VALID = {
    "artifactStore": {"location": "b-1"},
    "stages": [
        {
            "name": "Build",
            "actions": [
                {
                    "name": "web",
                    "actionTypeId": {
                        "category": "Compute",
                        "owner": "AWS",
                        "provider": "Commands",
                        "version": "1",
                    },
                    "commands": ["true"],
                }
            ],
        }
    ],
}
UNSUPPORTED = ("triggers", "artifactStores", "disableInboundStageTransitions", "variables")
NAMES = ("web", "run-1", "run-2")


@cache
def schemas() -> dict[str, Schema]:
    """Return the schema of each kind of ours."""
    versions = {item.kind: crd_of(item)["spec"]["versions"][0] for item in RESOURCES}
    return {kind: version["schema"]["openAPIV3Schema"] for kind, version in versions.items()}


def made(resource: Resource, random: Random, number: int) -> dict[str, Any]:
    """Return an object of a kind, as the API server would hand it out."""
    meta: dict[str, Any] = {
        "name": random.choice(NAMES),
        "uid": f"uid-{random.randrange(12)}",
        "resourceVersion": str(number),
        "generation": random.randrange(1, 4),
        "creationTimestamp": "2026-11-28T12:00:00Z",
    }
    if resource.is_namespaced:
        meta["namespace"] = "team"
    if random.random() < 0.2:
        meta["deletionTimestamp"] = "2026-11-28T12:00:10Z"
    owner = {
        "apiVersion": random.choice(["batch/v1", "penstock.dev/v1alpha1"]),
        "name": random.choice(NAMES),
    }
    if random.random() < 0.7:
        kind = random.choice(["Job", "PipelineRun", "Pipeline", "Other"])
        meta["ownerReferences"] = [
            {**owner, "kind": kind, "uid": f"uid-{random.randrange(12)}", "controller": True}
        ]
    for kind in ("labels", "annotations"):
        if random.random() < 0.5:
            meta[kind] = {
                f"penstock.dev/{word}": random.choice(NAMES)
                for word in ("pipeline", "run-uid", "stage", "run")
            }
    return {"kind": resource.kind, "metadata": meta, **body(resource, random)}


def body(resource: Resource, random: Random) -> dict[str, Any]:
    """Return what an object says beside its metadata."""
    if resource is REVISIONS:
        return {
            "revision": random.randrange(5),
            "data": document(schemas()["Pipeline"]["properties"]["spec"], random),
        }
    if resource is JOBS:
        conditions = [
            {"type": kind, "status": "True", "reason": "R", "message": "m"}
            for kind in ("Complete", "Failed")
        ]
        return {
            "spec": {"template": {"metadata": {}, "spec": {}}},
            "status": {"conditions": conditions[: random.randrange(3)]},
        }
    if resource is PODS:
        states: list[dict[str, Any]] = [
            {},
            {"waiting": {"reason": "ErrImagePull"}},
            {"running": {"startedAt": "2026-11-28T12:00:01Z"}},
        ]
        states.append(
            {
                "terminated": {
                    "exitCode": 0,
                    "message": random.choice(["", "{}", '{"version":1}', "z:x"]),
                }
            }
        )
        shown = [
            {"name": name, "state": random.choice(states), "restartCount": random.randrange(2)}
            for name in ("agent", "action")
        ]
        phase = random.choice(["Pending", "Running", "Succeeded", "Failed"])
        return {
            "spec": {"containers": [{"name": "agent"}]},
            "status": {"phase": phase, "containerStatuses": shown},
        }
    properties = schemas()[resource.kind]["properties"]
    spec = document(properties["spec"], random)
    if resource is PIPELINES and random.random() < 0.7:
        spec |= VALID | {"executionMode": random.choice(["SUPERSEDED", "QUEUED", "PARALLEL"])}
        spec = {key: spec[key] for key in spec if key not in UNSUPPORTED}
    for key in ("pipelineName", "pipelineRef"):
        if key in spec:
            spec[key] = "web" if key == "pipelineName" else {"name": "web"}
    status = {"status": document(properties["status"], random)} if "status" in properties else {}
    return {"spec": spec, **(status if random.random() < 0.7 else {})}


def batch(random: Random, folder: Path) -> int:
    """Fill a cache and plan, again and again; an exception is a finding."""
    for _ in range(BATCH):
        known = Cache()
        documents = [
            (kind, made(kind, random, n))
            for n, kind in enumerate(random.choices(KINDS, k=12), start=1)
        ]
        try:
            for kind, item in documents:
                (known.put if random.random() < 0.9 else known.remove)(kind, item)
            gatherer = Gatherer(known, Refusals(), None)
            for key in known.pipelines():
                plan_pipeline(gatherer.snapshot(key), Settings(), now=NOW)
        except Exception as error:
            raise Finding(f"{type(error).__name__}: {error}: {documents}") from error
    return BATCH
