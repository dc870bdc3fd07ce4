"""Commands (P-18): the action's own container does the work, and the agent only relays it."""

from penstock.actions.execution import Job, Outcome


def run(job: Job) -> Outcome:
    """Run the commands; their output variables are the action's."""
    return job.container.run_script()
