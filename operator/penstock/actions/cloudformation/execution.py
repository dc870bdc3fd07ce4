"""CloudFormation (Deploy, P-30..P-38): one mode of one stack, followed to its end.

Every request carries a token of the attempt: the try that comes after a lost one finds by it what
was begun, and follows that to its end instead of beginning it again.
"""

from typing import Any

from botocore.exceptions import ClientError

from penstock.actions.aws import calls, client, client_token, error_code, error_message
from penstock.actions.cloudformation.change_sets import ChangeSets
from penstock.actions.cloudformation.operations import Operation, settled, with_hint
from penstock.actions.cloudformation.outputs import store_outputs, variables_of
from penstock.actions.cloudformation.packaging import package
from penstock.actions.cloudformation.parameters import StackSettings, read_settings
from penstock.actions.cloudformation.stacks import REVIEW, Stack, read_stack
from penstock.actions.cloudformation.uploads import Uploads
from penstock.actions.execution import JOB_FAILED, ActionError, Job, Outcome

# What REPLACE_ON_FAILURE deletes first (P-32).
_FAILED = (
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
)
_NO_UPDATES = "No updates are to be performed"
_NO_CHANGES = "no changes"


def run(job: Job) -> Outcome:
    """Do what the ActionMode says."""
    return _Deployment(job).run()


class _Deployment:
    """One action."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._configuration = job.request.configuration
        self._name = self._configuration["StackName"]
        self._client: Any = client(job, "cloudformation")
        self._uploads = Uploads(job)

    def run(self) -> Outcome:
        """Run the mode, then report the stack as it is."""
        modes = {
            "CREATE_UPDATE": self._create_or_update,
            "REPLACE_ON_FAILURE": self._create_or_update,
            "DELETE_ONLY": self._delete_only,
            "CHANGE_SET_REPLACE": self._replace_change_set,
            "CHANGE_SET_EXECUTE": self._execute_change_set,
        }
        summary = modes[self._configuration["ActionMode"]]()
        self._job.log(summary)
        return self._outcome(summary)

    def _outcome(self, summary: str) -> Outcome:
        stack = read_stack(self._client, self._name)
        outputs = stack.outputs if stack else {}
        store_outputs(self._job, outputs)
        return Outcome(
            variables=variables_of(self._job, outputs),
            external_execution_id=stack.id if stack else "",
            external_execution_url=_console(self._job, stack) if stack else "",
            summary=summary,
        )

    def _create_or_update(self) -> str:
        """P-31, P-32."""
        stack = read_stack(self._client, self._name)
        # The lost try began one of the two, depending on what it found.
        for purpose, done in (("create", "created"), ("update", "updated")):
            if stack and self._is_followed(stack, purpose):
                return f"stack {self._name} {done}"
        request = self._request()
        stack = self._settled(stack)
        if (
            stack
            and stack.status in _FAILED
            and self._configuration["ActionMode"] == "REPLACE_ON_FAILURE"
        ):
            self._job.log(f"Stack {self._name} is {stack.status}: it is deleted first")
            self._delete(stack)
            stack = None
        return self._update(stack, request) if stack else self._create(request)

    def _create(self, request: dict[str, Any]) -> str:
        token = self._token("create")
        with calls():
            made = self._client.create_stack(
                StackName=self._name, ClientRequestToken=token, **request
            )
        self._follow(Stack(made["StackId"], self._name, "CREATE_IN_PROGRESS", "", {}), "create")
        return f"stack {self._name} created"

    def _update(self, stack: Stack, request: dict[str, Any]) -> str:
        operation = self._operation(stack, "update")
        # This reads past the events that are there, so that `follow` tells only new ones.
        operation.is_begun()
        try:
            with calls():
                try:
                    self._client.update_stack(
                        StackName=stack.id, ClientRequestToken=self._token("update"), **request
                    )
                except ClientError as error:
                    if error_code(error) == "ValidationError" and _NO_UPDATES in error_message(
                        error
                    ):
                        return f"stack {self._name}: {_NO_CHANGES}"
                    raise
        except ActionError as error:
            raise with_hint(error, stack.status) from error
        operation.follow()
        return f"stack {self._name} updated"

    def _delete_only(self) -> str:
        """P-33."""
        stack = read_stack(self._client, self._name)
        if stack is None:
            return f"there is no stack {self._name}"
        if stack := self._settled(stack):
            self._delete(stack)
        return f"stack {self._name} deleted"

    def _delete(self, stack: Stack) -> None:
        if self._is_followed(stack, "delete"):
            return
        operation = self._operation(stack, "delete")
        operation.is_begun()
        with calls():
            self._client.delete_stack(
                StackName=stack.id, ClientRequestToken=self._token("delete"), **self._role()
            )
        operation.follow()

    def _replace_change_set(self) -> str:
        """P-34. What a stack policy says cannot be said in a change set."""
        settings, request = self._template_request()
        if settings.policy:
            self._job.log("StackPolicy of TemplateConfiguration is not used: a change set has none")
        stack = self._settled(read_stack(self._client, self._name))
        sets = self._change_sets()
        try:
            made = sets.replace(stack, request, self._token("change-set"))
        except ActionError as error:
            raise with_hint(error, stack.status if stack else "") from error
        name = self._configuration["ChangeSetName"]
        if made.is_empty:
            return f"change set {name} of stack {self._name}: {_NO_CHANGES}"
        return f"change set {name} of stack {self._name}: {_counted(sets.tell())}"

    def _execute_change_set(self) -> str:
        """P-35; RoleArn is the change set's own, so the configuration's has no part in it."""
        name = self._configuration["ChangeSetName"]
        done = f"change set {name} executed on stack {self._name}"
        stack = read_stack(self._client, self._name)
        # Asked before the change set is looked for, as an execution consumes it.
        if stack and self._is_followed(stack, "execute"):
            return done
        stack = self._settled(stack)
        sets = self._change_sets()
        found = sets.made() if stack else None
        if stack is None or found is None or found.is_consumed:
            what = f"was executed before ({found.execution})" if found else "does not exist"
            hint = "an execution consumes it: to run again, retry the stage with ALL_ACTIONS (X-64)"
            raise ActionError(
                JOB_FAILED, f"ChangeSet [{name}] of stack {self._name} {what}; {hint}"
            )
        if found.is_empty:
            return f"change set {name} of stack {self._name}: {_NO_CHANGES}"
        operation = self._operation(stack, "execute")
        operation.is_begun()
        sets.execute(found, self._token("execute"))
        operation.follow()
        return done

    def _change_sets(self) -> ChangeSets:
        return ChangeSets(self._client, self._job, self._name, self._configuration["ChangeSetName"])

    def _request(self) -> dict[str, Any]:
        settings, request = self._template_request()
        return {**request, **({"StackPolicyBody": settings.policy} if settings.policy else {})}

    def _template_request(self) -> tuple[StackSettings, dict[str, Any]]:
        """Return what is asked for: the template, packaged, and what goes with it."""
        path = self._configuration["TemplatePath"]
        text = package(self._job, path, self._uploads)
        settings = read_settings(self._job, self._uploads)
        request: dict[str, Any] = {"Parameters": settings.parameter_list, **self._role()}
        if settings.tags:
            request["Tags"] = settings.tag_list
        if capabilities := self._configuration.get("Capabilities"):
            request["Capabilities"] = capabilities.split(",")
        return settings, {**request, **self._uploads.template(text, path)}

    def _role(self) -> dict[str, str]:
        role = self._configuration.get("RoleArn")
        return {"RoleARN": role} if role else {}

    def _settled(self, stack: Stack | None) -> Stack | None:
        """Wait for an operation under way, ours or another's; return the stack after it."""
        # A lost try of ours may have begun to delete it (P-32).
        if stack and stack.is_changing and self._is_followed(stack, "delete"):
            return None
        return settled(self._client, self._job, stack) if stack else None

    def _is_followed(self, stack: Stack, purpose: str) -> bool:
        """Whether an earlier try of this attempt began the operation; then follow it to its end."""
        if self._job.request.attempt.try_ == 1 or stack.status == REVIEW:
            return False
        operation = self._operation(stack, purpose)
        if not operation.is_begun():
            return False
        operation.follow()
        return True

    def _follow(self, stack: Stack, purpose: str) -> None:
        self._operation(stack, purpose).follow()

    def _operation(self, stack: Stack, purpose: str) -> Operation:
        return Operation(self._client, self._job, stack, self._token(purpose))

    def _token(self, purpose: str) -> str:
        return client_token(self._job, purpose)


def _counted(changes: int) -> str:
    return "1 change" if changes == 1 else f"{changes} changes"


def _console(job: Job, stack: Stack) -> str:
    """Return the page of a stack in AWS itself; consoles of other partitions have other names."""
    access = job.request.aws
    _, partition, _, region, *_ = stack.id.split(":")
    if access is None or access.endpoint or partition != "aws":
        return ""
    page = f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}#/stacks/stackinfo"
    return f"{page}?stackId={stack.id}"
