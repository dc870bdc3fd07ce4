"""A stack's outputs as a file of the output artifact (P-36) and as variables (W-26)."""

import json
from collections.abc import Mapping

from penstock.actions.execution import Job
from penstock.api.contract.documents import compress

# The most bytes of a termination message for variables, compressed: the rest needs room, too.
_VARIABLES_BYTES = 2400


def store_outputs(job: Job, outputs: Mapping[str, str]) -> None:
    """Store the outputs as the only file of the output artifact, if the action has one.

    Store none without OutputFileName.
    """
    for order in job.request.outputs:
        folder = job.outputs.folder(order.name)
        if name := job.request.configuration.get("OutputFileName"):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(
                json.dumps(dict(outputs), indent=2, sort_keys=True) + "\n", encoding="utf-8"
            )
        else:
            job.log(f"The output artifact {order.name} is empty: name a file in OutputFileName")
        job.outputs.store_folder(order.name, folder)


def variables_of(job: Job, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs as variables, without the longest if not all fit a result."""
    kept = dict(sorted(outputs.items(), key=lambda item: len(item[0]) + len(item[1])))
    while kept and len(compress(json.dumps(kept))) > _VARIABLES_BYTES:
        name, _ = kept.popitem()
        job.log(f"The output {name} is no variable: the outputs are too long for a result")
    return kept
