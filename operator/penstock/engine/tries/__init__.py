"""One try of an action or a rule: its start, its outcome, and its effects on a pass.

The theory of operation. A user asks for an *attempt*; a *try* is one Job within it. A try is
written into the run's status first and its Job is created after that, under a name that follows
from run, stage, action, attempt and try. So a crash between the two costs one more request, and a
Job that no status names is an orphan.

What became of a try is read from its pod's containers, not from the Job: they end first. The
verdict (`verdict.py`) is one of four:

- *ended*: the agent's result can be trusted (`results.py`), or the containers say why there is
  none. A pod that is gone without a result makes the try lost, not failed: the provider says
  whether a new try follows;
- *running*, perhaps with a reason why it does not get on, and a time to look again;
- *missing*: no Job, and none was ever seen; it is created (again);
- *unconfirmed*: the cache says that something is gone. That would end the try, so it is read live
  first.

A try counts only with a pod that the run's own Job controls, known by uid. Of two pods of one Job
the first to begin decides; the second finds the try claimed in the artifact store and does nothing.
"""
