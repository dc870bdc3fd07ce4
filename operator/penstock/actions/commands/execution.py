"""Commands (P-18): the agent relays what the action's own container runs;
there is nothing else to do.
"""

from penstock.actions.execution import Job, Outcome


def run(job: Job) -> Outcome:
    """Run the commands; their output variables are the action's."""
    return job.container.run_script()
