"""Observer and judge of a try share these values: what is known of its Job, and each verdict."""

from dataclasses import dataclass
from datetime import datetime

from penstock.api.status.executions import ErrorDetails
from penstock.engine.objects.workloads import JobObject, PodObject
from penstock.engine.tries.results import TryResult


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything known about one try's Job.

    ``is_confirmed``: live requests of this very pass say the same.

    ``had_pod``: its status names a pod, as that of any try does which ran for a while;
    ``lost_pod``: one of its pods is gone from sight, perhaps only for want of its label.
    ``is_vouched``: a Job of ours made the pod.
    """

    job_name: str
    job: JobObject | None
    pod: PodObject | None
    is_confirmed: bool
    was_seen: bool
    had_pod: bool
    has_container: bool
    timeout_s: float
    started: datetime
    warning: str = ""
    is_vouched: bool = True
    lost_pod: bool = False
    waiting: ErrorDetails | None = None
    """What the status says that the try waits for."""

    @property
    def is_watched(self) -> bool:
        """Whether events tell of the Job and its pod."""
        return (self.job is None or self.job.is_watched) and (
            self.pod is None or self.pod.is_watched
        )


@dataclass(frozen=True, slots=True)
class Running:
    """Not over. ``look_again`` is when a limit passes, if nothing happens before.

    ``is_job_to_go``: what still runs must end before anything is concluded, so the Job is deleted
    first; ``waiting`` tells in the status what will be concluded.
    """

    look_again: datetime | None = None
    is_job_to_go: bool = False
    waiting: ErrorDetails | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no Job and never was: it is to be created."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """What is seen would end the try, but not by a result: it is to be looked up live first.

    Law: absence is never evidence. A watch may be late, and a cache may have
    missed the pod or its end.
    """


Verdict = Running | Missing | Unconfirmed | TryResult
