"""What other tests count on of the emulated AWS: it answers, and rolls back
what fails, telling the request's token.
"""

from __future__ import annotations

import json
import secrets

import pytest
from botocore.exceptions import WaiterError

from tests.cluster import load
from tests.support import aws_servers

_NO_FUNCTION = "arn:aws:lambda:eu-central-1:000000000000:function:none"
_FAILING = {
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Bad": {
            "Type": "AWS::CloudFormation::CustomResource",
            "Properties": {"ServiceToken": _NO_FUNCTION},
        },
    }
}


def test_a_stack_that_fails_is_rolled_back_and_its_events_carry_the_token() -> None:
    client = aws_servers.client(aws_servers.ready(load(), "aws"), "cloudformation")
    name = f"test-{secrets.token_hex(4)}"
    client.create_stack(
        StackName=name, TemplateBody=json.dumps(_FAILING), ClientRequestToken="token-1"
    )
    with pytest.raises(WaiterError):
        client.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    assert events[0]["ResourceStatus"] == "ROLLBACK_COMPLETE"
    assert {event["ClientRequestToken"] for event in events} == {"token-1"}


def test_the_server_for_stack_sets_makes_one() -> None:
    client = aws_servers.client(aws_servers.ready(load(), "moto"), "cloudformation")
    name = f"test-{secrets.token_hex(4)}"
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    assert client.create_stack_set(StackSetName=name, TemplateBody=json.dumps(template))[
        "StackSetId"
    ]
