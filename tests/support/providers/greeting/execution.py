"""Greeting: one line in the log, one output variable."""

from penstock.actions.execution import ActionError, Job, Outcome


def run(job: Job) -> Outcome:
    """Greet; nobody is greeted whose name is not given."""
    name = job.request.configuration["Name"]
    if name == "nobody":
        raise ActionError("JobFailed", "there is nobody to greet")
    job.log(f"hello, {name}")
    return Outcome(variables={"Greeted": name})
