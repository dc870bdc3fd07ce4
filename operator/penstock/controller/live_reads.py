"""LiveReads asks the server for what the cache cannot prove, and puts the answers there.

Law: absence is never evidence. What a watch has missed, and what has lost the label that it is
watched by, is read here before anything is concluded from its absence.
"""

from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass

from penstock.api.document import Document
from penstock.api.meta import LABEL_RUN_UID
from penstock.api.status.executions import ActionStatus
from penstock.api.text import shorten
from penstock.cluster.approval_policy import approval_policy_is_enforced
from penstock.cluster.client import Client
from penstock.cluster.errors import NotFoundError
from penstock.cluster.resources import (
    APPROVALS,
    CORE_EVENTS,
    JOBS,
    PIPELINES,
    PODS,
    REVISIONS,
    RUNS,
    Resource,
)
from penstock.controller.cache.cache import Cache
from penstock.controller.cache.identity import PipelineKey, controlled, controller_of, of_pipeline

LABEL_JOB = "batch.kubernetes.io/job-name"

# Kinds that are watched and listed by a label, which can be taken off.
_SELECTED = (JOBS, PODS, REVISIONS)


@dataclass(frozen=True, slots=True)
class LiveReads:
    """The requests of a pass for what its cache may not know."""

    client: Client
    cache: Cache
    approval_policy: str = ""
    """The name of the ValidatingAdmissionPolicy that guards Approvals, and of its binding."""

    async def compare(
        self, resource: Resource, listed: AsyncIterator[Document], before: set[str]
    ) -> set[PipelineKey]:
        """Take over a LIST object by object; return the pipelines that changed.

        This way the whole LIST is never in memory at once.

        ``before`` are the uids known when it began. What it lacks of those is read by its name
        where the LIST goes by a label: it may only have lost that.
        """
        changed: set[PipelineKey] = set()
        present: set[str] = set()
        async for document in listed:
            present.add(document["metadata"]["uid"])
            changed |= self.cache.replace(resource, (document,), set())
        for document in self.cache.missing(resource, before, present):
            meta = document["metadata"]
            name, uid = meta["name"], meta["uid"]
            is_there = resource in _SELECTED and await self.exists(
                resource, meta["namespace"], name, uid
            )
            if not is_there and (key := self.cache.remove(resource, document, is_absent=True)):
                changed.add(key)
        return changed

    async def exists(self, resource: Resource, namespace: str, name: str, uid: str = "") -> bool:
        """Read an object into the cache; return whether it exists.

        If ``uid`` is given, it must be that very object.
        """
        if (found := await self._read(resource, namespace, name)) is None:
            return False
        self.cache.put(resource, found)
        return uid in ("", found["metadata"]["uid"])

    async def look_up(self, key: PipelineKey, job: str) -> str:
        """Read a Job and its Pods from the server into the cache; return their last warning."""
        known = self.cache.get(JOBS, key[0], job)
        if not await self.exists(JOBS, key[0], job) and known:
            self.cache.remove(JOBS, known, is_absent=True)
        before = {pod["metadata"]["uid"] for pod in self.cache.of(PODS, key) if _job_of(pod) == job}
        await self.compare(
            PODS, self.client.list(PODS, key[0], selector=f"{LABEL_JOB}={job}"), before
        )
        await self._look_up_lost_pods(key, job)
        pods = [pod["metadata"]["name"] for pod in self.cache.of(PODS, key) if _job_of(pod) == job]
        return await self._warning(key[0], [job, *pods])

    async def look_up_approvals(self, key: PipelineKey, names: Collection[str]) -> dict[str, bool]:
        """Read Approvals from the server into the cache.

        Return for each whether the admission policy guards it.
        """
        for name in sorted(names):
            if not await self.exists(APPROVALS, key[0], name) and (
                known := self.cache.get(APPROVALS, key[0], name)
            ):
                self.cache.remove(APPROVALS, known, is_absent=True)
        return dict.fromkeys(
            names, await approval_policy_is_enforced(self.client, self.approval_policy)
        )

    async def read_again(self, key: PipelineKey) -> None:
        """Read this pipeline's objects from the server: after two conflicts, distrust the cache."""
        namespace = key[0]
        if not await self.exists(PIPELINES, *key) and (known := self.cache.get(PIPELINES, *key)):
            self.cache.remove(PIPELINES, known, is_absent=True)
        kinds = ((RUNS, ""), (APPROVALS, ""), (JOBS, LABEL_RUN_UID), (PODS, LABEL_RUN_UID))
        for resource, selector in kinds:
            before = {d["metadata"]["uid"] for d in self.cache.of(resource, key)}
            await self.compare(
                resource, self.client.list(resource, namespace, selector=selector), before
            )

    async def _look_up_lost_pods(self, key: PipelineKey, job: str) -> None:
        """Read the Pods of a Job that are gone from sight or named in a run's status.

        They are read by name and compared by uid.
        """
        runs = list(self.cache.of(RUNS, key))
        for uid, name in self.cache.unconfirmed_pods(
            {run["metadata"]["uid"] for run in runs}, job
        ).items():
            if not await self.exists(PODS, key[0], name, uid):
                self.cache.confirm_deleted(uid)
        tries = [
            item
            for run in runs
            for item in tries_under_way(run.get("status", {}))
            if item.get("jobName") == job
        ]
        for name, uid in {(item["podName"], item["podUid"]) for item in tries if "podUid" in item}:
            known = self.cache.get(PODS, key[0], name)
            pod = None if known else await self._read(PODS, key[0], name)
            if pod and pod["metadata"]["uid"] == uid:
                # Only the operator writes the status: it vouches for the pod, also where its Job is
                # not known.
                owner = self.cache.get(JOBS, key[0], job) or {"metadata": {"uid": f"unknown-{job}"}}
                self.cache.put(
                    PODS, of_pipeline(key[1], controlled(PODS, pod, job, owner["metadata"]["uid"]))
                )

    async def _warning(self, namespace: str, names: list[str]) -> str:
        """Return the text of the last warning among the Events of these objects.

        It has at most 500 characters.
        """
        found: list[tuple[str, str]] = []
        for name in names:
            fields = f"involvedObject.name={name},type=Warning"
            async for event in self.client.list(CORE_EVENTS, namespace, fields=fields):
                when = (
                    # Events of the older API have this time, and those of the newer one the next.
                    event.get("lastTimestamp")
                    or event.get("eventTime")
                    or event["metadata"]["creationTimestamp"]
                )
                found.append((when, shorten(" ".join(event.get("message", "").split()), 500)))
        return max(found)[1] if found else ""

    async def _read(self, resource: Resource, namespace: str, name: str) -> Document | None:
        try:
            return await self.client.get(resource, namespace, name)
        except NotFoundError:
            return None


def tries_under_way(status: Document) -> Iterator[Document]:
    """Yield the executions of a run that are under way."""
    for stage in status.get("stageStates", ()):
        conditions = (
            stage.get(f"{kind}ConditionState", {})
            for kind in ("beforeEntry", "onSuccess", "onFailure")
        )
        rules = [rule for condition in conditions for rule in condition.get("ruleStates", ())]
        for state in (*stage.get("actionStates", ()), *rules):
            for execution in state.get("executions", ()):
                if execution["status"] == ActionStatus.IN_PROGRESS:
                    yield execution


def _job_of(pod: Document) -> str:
    controller = controller_of(PODS, pod)
    return str(controller["name"]) if controller else ""
