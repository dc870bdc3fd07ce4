"""What CloudFormation says of a stack."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from penstock.actions.aws import calls, error_code, error_message

SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE")
DELETED = "DELETE_COMPLETE"
REVIEW = "REVIEW_IN_PROGRESS"
"""The state of a stack that is nothing but its first change set: no operation is under way."""


class Stack(NamedTuple):
    """A stack as it is now."""

    id: str
    name: str
    status: str
    reason: str
    outputs: Mapping[str, str]

    @property
    def is_changing(self) -> bool:
        """Whether an operation is under way."""
        return is_changing(self.status)


def is_changing(status: str) -> bool:
    """Whether a status is one of an operation under way."""
    return status.endswith("_IN_PROGRESS") and status != REVIEW


def read_stack(client: Any, name: str) -> Stack | None:
    """Return a stack by name or id, None if there is none; raise ActionError if unreadable."""
    with calls():
        try:
            found = client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            # CloudFormation has no code of its own for a stack that is not there.
            if error_code(error) == "ValidationError" and "does not exist" in error_message(error):
                return None
            raise
    outputs = {item["OutputKey"]: item.get("OutputValue", "") for item in found.get("Outputs", [])}
    stack = Stack(
        found["StackId"],
        found["StackName"],
        found["StackStatus"],
        found.get("StackStatusReason", ""),
        outputs,
    )
    # Asked by its id, CloudFormation still shows a stack that was deleted.
    return None if stack.status == DELETED else stack
