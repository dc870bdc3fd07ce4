"""The cache: the newer version stays, deletions leave tombstones, a LIST
corrects what a watch missed.
"""

import gc
import weakref
from typing import Any

import pytest

from penstock.cluster.resources import APPROVALS, CLUSTER_ACTION_TYPES, JOBS, PIPELINES, PODS, RUNS
from penstock.controller.cache.budget import TOO_MUCH, Ledger, size_of
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.graves import Deleted
from penstock.controller.gather import Gatherer
from penstock.controller.parsing import ended_of
from penstock.controller.refusals import Refusals
from penstock.controller.status_writes import merge_patch
from penstock.engine.objects.workloads import job_of, pod_of

KEY = ("team", "web")
ACTION = {
    "name": "A",
    "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
    "commands": ["true"],
}


def run(version: int, uid: str = "u", name: str = "run-1", **status: Any) -> dict[str, Any]:
    meta = {
        "namespace": "team",
        "name": name,
        "uid": uid,
        "resourceVersion": str(version),
        "managedFields": [1],
    }
    return {
        "kind": "PipelineRun",
        "metadata": meta,
        "spec": {"pipelineRef": {"name": "web"}},
        "status": status,
    }


def owner(kind: str, api: str, name: str, uid: str) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": api, "name": name, "uid": uid, "controller": True}


def job(name: str, run_uid: str = "u", version: int = 5) -> dict[str, Any]:
    labels = {"penstock.dev/run-uid": run_uid, "penstock.dev/stage": "s"}
    annotations = {"penstock.dev/pipeline": "web", "penstock.dev/request": "x" * 1000}
    meta = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-21T12:00:00Z",
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner("PipelineRun", "penstock.dev/v1alpha1", "run-1", run_uid)],
    }
    template = {
        "metadata": {
            "labels": {**labels},
            "annotations": {**annotations, "penstock.dev/spec-hash": "h"},
        }
    }
    return {"kind": "Job", "metadata": meta, "spec": {"template": {**template, "spec": {}}}}


def pod(name: str, of: str = "a", version: int = 5) -> dict[str, Any]:
    meta = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-21T12:00:00Z",
        "labels": {
            "penstock.dev/run-uid": "u",
            "penstock.dev/stage": "s",
            "batch.kubernetes.io/job-name": of,
        },
        "annotations": {"penstock.dev/pipeline": "web"},
        "ownerReferences": [owner("Job", "batch/v1", of, f"uid-{of}")],
    }
    spec = {"containers": [{"name": "agent", "image": "i", "env": ["x" * 10_000]}]}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}}


def edited(document: dict[str, Any], version: int, **meta: Any) -> dict[str, Any]:
    """Return an object as somebody has edited its metadata; None takes a field out."""
    changed = {**document["metadata"], "resourceVersion": str(version), **meta}
    return {
        **document,
        "metadata": {key: value for key, value in changed.items() if value is not None},
    }


def approval(name: str, run_uid: str = "u") -> dict[str, Any]:
    """Return an Approval; somebody has changed its annotation, but the spec
    is as it was written.
    """
    meta = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": "5",
        "labels": {"penstock.dev/run-uid": run_uid},
        "annotations": {"penstock.dev/pipeline": "other"},
    }
    return {"kind": "Approval", "metadata": meta, "spec": {"pipelineName": "web"}}


def test_approval_belongs_to_the_pipeline_of_its_spec_and_is_remembered_when_it_is_deleted() -> (
    None
):
    cache = Cache()
    assert cache.put(APPROVALS, approval("ok")) == KEY
    assert [item["metadata"]["name"] for item in cache.of(APPROVALS, KEY)] == ["ok"]
    assert cache.remove(APPROVALS, approval("ok")) == KEY
    assert cache.deleted({"u"}).names == {"ok"}


def test_older_version_never_replaces_a_newer_one() -> None:
    cache = Cache()
    assert cache.put(RUNS, run(7, state="Succeeded")) == KEY
    cache.put(RUNS, run(6, state="InProgress"))
    found = cache.get(RUNS, "team", "run-1")
    assert found is not None
    assert found["status"] == {"state": "Succeeded"}


def test_late_event_does_not_bring_a_deleted_object_back() -> None:
    cache = Cache()
    cache.put(RUNS, run(7))
    assert cache.remove(RUNS, run(8)) == KEY
    cache.put(RUNS, run(6))
    assert cache.get(RUNS, "team", "run-1") is None


def test_namesake_with_another_uid_replaces_the_old_object() -> None:
    cache = Cache()
    cache.put(RUNS, run(7, uid="old"))
    cache.put(RUNS, run(9, uid="new"))
    cache.put(RUNS, run(8, uid="old"))
    found = cache.get(RUNS, "team", "run-1")
    assert found is not None
    assert found["metadata"]["uid"] == "new"


def test_deletion_of_a_namesake_leaves_the_new_object() -> None:
    cache = Cache()
    cache.put(RUNS, run(9, uid="new"))
    cache.remove(RUNS, run(10, uid="old"))
    assert cache.get(RUNS, "team", "run-1") is not None


def test_list_forgets_what_vanished_in_a_gap_and_spares_what_came_since() -> None:
    cache = Cache()
    cache.put(RUNS, run(7, uid="gone", name="gone"))
    before = cache.uids(RUNS)
    cache.put(RUNS, run(9, uid="new", name="new"))
    changed = cache.replace(RUNS, [run(8, uid="there", name="there")], before)

    assert changed == {KEY}
    assert [item["metadata"]["name"] for item in cache.of(RUNS, KEY)] == ["new", "there"]


def test_deleted_job_is_remembered_by_its_run() -> None:
    cache = Cache()
    cache.put(JOBS, job("a"))
    cache.remove(JOBS, job("a"))
    cache.remove(JOBS, job("b", run_uid="other"))
    assert cache.deleted({"u"}) == Deleted(frozenset({"a"}), frozenset({"uid-a"}))


def test_cache_keeps_no_managed_fields_and_no_requests() -> None:
    cache = Cache()
    cache.put(RUNS, run(7))
    cache.put(JOBS, job("a"))
    kept_run, kept_job = cache.get(RUNS, "team", "run-1"), cache.get(JOBS, "team", "a")
    assert kept_run is not None
    assert kept_job is not None
    assert "managedFields" not in kept_run["metadata"]
    assert "penstock.dev/request" not in kept_job["metadata"]["annotations"]
    assert kept_job["spec"] == {}


def test_object_that_is_not_ours_is_left_alone() -> None:
    cache = Cache()
    pod = {
        "metadata": {"namespace": "team", "name": "x", "uid": "x", "resourceVersion": "1"},
        "spec": {},
    }
    assert cache.put(PODS, pod) is None
    assert cache.get(PODS, "team", "x") is None
    assert cache.pipelines() == set()
    assert cache.get(PIPELINES, "team", "x") is None


def test_merge_patch_says_what_changed_and_null_for_what_went() -> None:
    old = {"a": 1, "b": {"c": 1, "d": 2}, "e": [1], "f": 1}
    new = {"a": 1, "b": {"c": 1, "d": 3}, "e": [1, 2]}
    assert merge_patch(old, new) == {"b": {"d": 3}, "e": [1, 2], "f": None}


def test_action_type_is_kept_whole_though_it_has_a_template_as_jobs_have() -> None:
    cache = Cache()
    spec = {"category": "Deploy", "provider": "Script", "template": {"image": "debian:12"}}
    meta = {"name": "script", "uid": "u", "resourceVersion": "1", "managedFields": []}
    assert cache.put(CLUSTER_ACTION_TYPES, {"metadata": meta, "spec": spec}) is None
    assert [item["spec"] for item in cache.all(CLUSTER_ACTION_TYPES)] == [spec]
    cache.remove(CLUSTER_ACTION_TYPES, {"metadata": meta, "spec": spec})
    assert list(cache.all(CLUSTER_ACTION_TYPES)) == []


def filled() -> Cache:
    cache = Cache()
    for resource, document in ((RUNS, run(3)), (JOBS, job("a")), (PODS, pod("p"))):
        assert cache.put(resource, document) == KEY
    return cache


TAMPERED: list[dict[str, Any]] = [
    {"labels": None},
    {"annotations": None},
    {"ownerReferences": None},
    {
        "labels": {
            "penstock.dev/run-uid": "other",
            "penstock.dev/stage": "other",
            "job-name": "other",
        }
    },
    {
        "annotations": {
            "penstock.dev/pipeline": "other",
            "penstock.dev/run": "other",
            "penstock.dev/spec-hash": "other",
        }
    },
    {"ownerReferences": [owner("PipelineRun", "penstock.dev/v1alpha1", "other", "other")]},
    {"ownerReferences": [owner("Job", "batch/v1", "other", "other")]},
    {"ownerReferences": [{**owner("ReplicaSet", "apps/v1", "x", "x"), "controller": False}]},
    {"labels": {}, "annotations": {"x": "y" * 100_000}, "ownerReferences": []},
    {"finalizers": ["example.com/mine"]},
]


@pytest.mark.parametrize("change", TAMPERED)
@pytest.mark.parametrize("resource", [JOBS, PODS])
def test_attack_04_metadata_changed_by_hand_changes_nobodys_identity(
    resource: Any, change: dict[str, Any]
) -> None:
    """Whatever others write on a Job or pod, at whatever time, it belongs to
    the pipeline that it belonged to.
    """
    cache, original = filled(), job("a") if resource is JOBS else pod("p")
    name = original["metadata"]["name"]
    before = cache.get(resource, "team", name)

    assert cache.put(resource, edited(original, 6, **change)) == KEY
    after = cache.get(resource, "team", name)

    assert before and after
    assert [item["metadata"]["name"] for item in cache.of(resource, KEY)] == [name]
    assert cache.pipelines() == {KEY}
    read = job_of if resource is JOBS else pod_of
    assert {**vars_of(read(after)), "is_watched": True} == vars_of(read(before))
    assert cache.remove(resource, edited(original, 7, **change)) == KEY
    assert list(cache.of(resource, KEY)) == []


def vars_of(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@pytest.mark.parametrize("change", TAMPERED)
def test_attack_04_job_met_first_after_it_was_changed_says_who_it_is_in_its_template(
    change: dict[str, Any],
) -> None:
    cache = Cache()
    cache.put(RUNS, run(3))
    key = cache.put(JOBS, edited(job("a"), 6, **change))
    controllers = change.get("ownerReferences", [owner("PipelineRun", "", "", "u")]) or []
    is_ours = any(item["kind"] == "PipelineRun" and item["controller"] for item in controllers)

    assert key == (KEY if is_ours else None)
    if is_ours:
        found = job_of(next(cache.of(JOBS, KEY)))
        assert (found.run_uid, found.stage_label, found.spec_hash) == ("u", "s", "h")


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [owner("ReplicaSet", "apps/v1", "a", "uid-a")],
        [owner("Job", "example.com/v1", "a", "uid-a")],
    ],
)
def test_attack_08_pod_that_no_job_controls_is_not_ours(owners: list[dict[str, Any]]) -> None:
    cache = filled()
    assert cache.put(PODS, edited(pod("forged"), 6, ownerReferences=owners)) is None
    assert [item["metadata"]["name"] for item in cache.of(PODS, KEY)] == ["p"]


def test_job_that_lost_its_label_comes_back_by_a_live_look_and_is_known_as_unwatched() -> None:
    """A watch by label tells of a label taken off as of a deletion."""
    cache = filled()
    relabelled = edited(job("a"), 6, labels={})
    assert cache.remove(JOBS, relabelled) == KEY
    assert cache.deleted({"u"}).names == {"a"}

    cache.put(JOBS, job("a", version=5))
    assert list(cache.of(JOBS, KEY)) == [], "a late event brings nothing back"
    cache.put(JOBS, relabelled)
    (found,) = cache.of(JOBS, KEY)
    assert not job_of(found).is_watched
    assert cache.deleted({"u"}).names == frozenset()


def test_job_whose_absence_was_seen_never_comes_back() -> None:
    cache = filled()
    cache.remove(JOBS, job("a"), is_absent=True)
    cache.put(JOBS, job("a", version=9))
    assert list(cache.of(JOBS, KEY)) == []


def test_pod_of_a_job_that_is_gone_is_remembered_by_its_job() -> None:
    cache = filled()
    cache.remove(PODS, pod("p", version=6))
    assert cache.deleted({"u"}).podless == {"a"}


def test_weak_nobody_makes_the_operator_hold_what_it_does_not_read() -> None:
    cache = Cache()
    big = {f"example.com/{number}": "x" * 60_000 for number in range(4)}
    cache.put(RUNS, edited(run(3), 3, annotations=big, labels={"example.com/a": "b"}))
    cache.put(PODS, edited(pod("p"), 5, annotations={**pod("p")["metadata"]["annotations"], **big}))

    held = [next(cache.of(RUNS, KEY))["metadata"], next(cache.of(PODS, KEY))["metadata"]]
    assert "annotations" not in held[0]
    assert held[1]["annotations"] == {"penstock.dev/pipeline": "web"}


def test_attack_02_namespace_that_takes_too_much_memory_is_left_with_the_names_of_its_objects() -> (
    None
):
    """What is one namespace's too much leaves room for all others, and its
    objects say why they are not read.
    """
    cache, most = Cache(Ledger(1024 * 1024)), 1024 * 1024

    def pipeline(namespace: str, number: int, size: int) -> dict[str, Any]:
        meta = {
            "namespace": namespace,
            "name": f"p{number}",
            "uid": f"{namespace}{number}",
            "resourceVersion": "1",
        }
        return {"metadata": meta, "spec": {"stages": ["x" * size]}}

    for number in range(50):
        cache.put(PIPELINES, pipeline("noisy", number, 100_000))
    cache.put(PIPELINES, pipeline("calm", 0, 100_000))

    noisy = list(cache.in_namespace(PIPELINES, "noisy"))
    read = [item for item in noisy if TOO_MUCH not in item]
    (calm,) = cache.in_namespace(PIPELINES, "calm")
    assert (len(noisy), len(read)) == (50, 10)
    assert all(item["spec"] == {} for item in noisy if item not in read)
    assert "the objects of namespace noisy take more than 1 MiB" in noisy[-1][TOO_MUCH]
    assert TOO_MUCH not in calm
    assert cache.held("noisy") < most + 50 * 1_000


def test_attack_02_room_that_was_made_is_used_again() -> None:
    cache = Cache(Ledger(1024 * 1024))
    for number in range(20):
        big = {"pipelineRef": {"name": "web"}, "variables": ["x" * 900_000]}
        cache.put(RUNS, {**run(2 * number + 1, uid=f"u{number}"), "spec": big})
        (found,) = cache.of(RUNS, KEY)
        assert TOO_MUCH not in found
        cache.remove(RUNS, run(2 * number + 2, uid=f"u{number}"))
    assert cache.held("team") == 0


@pytest.mark.parametrize(
    ("kind", "marks", "expected"),
    [
        ("annotations", {"argocd.argoproj.io/tracking-id": "x"}, True),
        ("labels", {"app.kubernetes.io/instance": "x"}, True),
        ("labels", {"kustomize.toolkit.fluxcd.io/name": "x"}, True),
        ("annotations", {"meta.helm.sh/release-name": "x"}, True),
        ("labels", {"penstock.dev/keep": "true"}, True),
        ("annotations", {"penstock.dev/keep": "true"}, True),
        ("labels", {"penstock.dev/keep": "false"}, False),
        ("labels", {"example.com/keep": "true"}, False),
    ],
)
def test_gitops_1_marks_of_tools_that_declare_runs_are_known(
    kind: str, marks: dict[str, str], expected: bool
) -> None:
    cache = Cache()
    ended = run(3, state="Succeeded", completionTime="2026-11-28T12:00:00Z")
    ended["metadata"]["creationTimestamp"] = "2026-11-28T12:00:00Z"
    cache.put(RUNS, edited(ended, 4, **{kind: marks}))
    assert ended_of(next(cache.of(RUNS, KEY))).is_declared is expected


def test_attack_08_job_that_nobody_controls_leaves_no_tombstone() -> None:
    """Made and deleted by anybody, it would vouch for pods that name its uid."""
    cache = filled()
    cache.remove(JOBS, edited(job("forged"), 9, ownerReferences=[]))
    cache.remove(
        JOBS,
        edited(
            job("forged"),
            9,
            ownerReferences=[owner("PipelineRun", "penstock.dev/v1", "x", "nobody")],
        ),
    )
    assert cache.deleted({"u"}) == Deleted()


@pytest.mark.parametrize("resource", [JOBS, PODS])
def test_object_whose_name_another_has_taken_is_gone(resource: Any) -> None:
    """Its lock would never be released: every live look finds something of that name."""
    cache = filled()
    original = job("a") if resource is JOBS else pod("p")
    foreign = edited(original, 9, uid="foreign", ownerReferences=[], labels={})
    assert cache.put(resource, foreign) == KEY
    assert list(cache.of(resource, KEY)) == []


def test_attack_02_pod_with_thousands_of_owners_and_containers_is_kept_small() -> None:
    cache = filled()
    owners = [
        *pod("p")["metadata"]["ownerReferences"],
        *({**owner("X", "v1", f"x{n}", f"x{n}"), "controller": False} for n in range(4_000)),
    ]
    big = edited(pod("p"), 9, ownerReferences=owners)
    big["spec"] = {
        "containers": [{"name": "agent"}, *({"name": f"c{n}" + "x" * 50} for n in range(1_000))]
    }
    big["status"] = {
        "phase": "Running",
        "containerStatuses": [{"name": f"c{n}", "state": {}} for n in range(1_000)],
    }
    before = cache.held("team")
    cache.put(PODS, big)
    assert cache.held("team") < before + 2_000


def test_attack_02_pipeline_is_read_again_once_there_is_room() -> None:
    meta = {
        "namespace": "team",
        "uid": "p",
        "generation": 1,
        "creationTimestamp": "2026-11-28T12:00:00Z",
    }
    spec = {"artifactStore": {"location": "b-1"}, "stages": [{"name": "S", "actions": [ACTION]}]}
    large = {**meta, "name": "filler", "uid": "f", "resourceVersion": "1"}
    filler = {"metadata": large, "spec": {"stages": ["x" * 100_000]}}
    cache = Cache(Ledger(size_of(filler) + 500))
    gatherer = Gatherer(cache, Refusals(), None)
    meta["name"] = "web"
    cache.put(PIPELINES, filler)
    cache.put(PIPELINES, {"metadata": {**meta, "resourceVersion": "2"}, "spec": spec})
    found = gatherer.snapshot(KEY).pipeline
    assert found and found.spec is None

    cache.remove(PIPELINES, edited(filler, 3))
    cache.put(PIPELINES, {"metadata": {**meta, "resourceVersion": "4"}, "spec": spec})
    found = gatherer.snapshot(KEY).pipeline
    assert found and found.definition


@pytest.mark.parametrize(
    "status",
    [{"state": "InProgress", "stageStates": [{"stageName": "S"}]}, {"completionTime": "x"}],
)
def test_attack_02_run_that_has_begun_keeps_what_it_was_asked_for(status: dict[str, Any]) -> None:
    cache = Cache(Ledger(1_000))
    cache.put(
        RUNS,
        {
            **run(3),
            "spec": {"pipelineRef": {"name": "web"}, "variables": ["x" * 10_000]},
            "status": status,
        },
    )
    assert TOO_MUCH not in next(cache.of(RUNS, KEY))


def test_attack_02_text_takes_what_its_letters_take_in_memory() -> None:
    """One letter outside of Latin makes every letter of a text take four bytes."""
    assert size_of({"a": "x" * 10_000}) < 11_000
    assert size_of({"a": "x" * 10_000 + "\N{GRINNING FACE}"}) > 40_000
    assert size_of({"😀" * 10_000: 1}) > 40_000


def test_attack_02_what_was_read_of_deleted_pipelines_is_dropped() -> None:
    """Pipelines made and deleted all day are not kept, read, for as long as the operator lives."""
    cache = Cache()
    gatherer = Gatherer(cache, Refusals(), None)
    spec = {"artifactStore": {"location": "b-1"}, "stages": [{"name": "S", "actions": [ACTION]}]}
    meta = {
        "namespace": "team",
        "name": "web",
        "generation": 1,
        "creationTimestamp": "2026-11-28T12:00:00Z",
    }
    read: list[weakref.ref[object]] = []
    for number in range(1, 100, 2):
        document = {
            "metadata": {**meta, "uid": f"u{number}", "resourceVersion": str(number)},
            "spec": spec,
        }
        cache.put(PIPELINES, document)
        pipeline = gatherer.snapshot(KEY).pipeline
        assert pipeline
        read.append(weakref.ref(pipeline.spec))
        cache.remove(PIPELINES, edited(document, number + 1))
    del pipeline
    gc.collect()

    assert [item for item in read if item() is not None] == []


def test_weak_namespace_that_deletes_many_makes_no_other_one_forget() -> None:
    """A Job that was there once is not made again, whatever goes on next door."""
    cache = Cache()
    cache.put(RUNS, run(1))
    cache.put(JOBS, job("a"))
    cache.remove(JOBS, job("a", version=6))
    meta = {"namespace": "noisy", "name": "web"}
    for number in range(30_000):
        cache.remove(
            PIPELINES,
            {"metadata": {**meta, "uid": f"n{number}", "resourceVersion": str(number)}, "spec": {}},
        )

    assert cache.deleted({"u"}).names == {"a"}
    assert cache.deleted({""}) == Deleted()


@pytest.mark.parametrize("resource", [JOBS, PODS])
def test_attack_04_what_lost_every_word_and_its_owner_is_known_by_its_uid_when_it_is_read_live(
    resource: Any,
) -> None:
    """Without its labels a pod is let go by its Job's controller, which makes
    another: both may run.
    """
    cache, original = filled(), job("a") if resource is JOBS else pod("p")
    bare = edited(original, 6, labels=None, annotations=None, ownerReferences=None)
    assert cache.remove(resource, edited(original, 6)) == KEY, (
        "the watch tells of it as of a deletion"
    )

    assert cache.put(resource, bare) == KEY
    (found,) = cache.of(resource, KEY)
    read = job_of(found) if resource is JOBS else pod_of(found)
    assert (read.owner_uid, read.is_watched) == ("u" if resource is JOBS else "uid-a", False)


def test_attack_08_namesake_of_a_pod_that_was_deleted_is_not_taken_for_it() -> None:
    cache = filled()
    cache.remove(PODS, pod("p", version=6))
    assert cache.put(PODS, edited(pod("p"), 7, uid="forged", ownerReferences=None)) is None


def test_pod_whose_deletion_an_event_told_is_in_doubt_until_its_absence_was_seen() -> None:
    cache = filled()
    cache.remove(PODS, pod("p", version=6))
    assert cache.unconfirmed_pods({"u"}, "a") == {"uid-p": "p"}
    assert cache.unconfirmed_pods({"u"}, "b") == {}

    cache.confirm_deleted("uid-p")
    assert cache.unconfirmed_pods({"u"}, "a") == {}
    assert cache.deleted({"u"}).podless == frozenset()
    cache.put(PODS, pod("p", version=9))
    assert list(cache.of(PODS, KEY)) == []
