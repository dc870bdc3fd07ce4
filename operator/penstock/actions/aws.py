"""Gives executions AWS clients (as the pod, a Secret or a role) and errors in a user's terms.

Imported by executions alone: loading boto3 takes longer than a whole action that does not need it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
)

from penstock.actions.aws_configuration import CREDENTIALS_KEY
from penstock.actions.execution import (
    CONFIGURATION_ERROR,
    JOB_FAILED,
    PERMISSION_ERROR,
    SYSTEM_UNAVAILABLE,
    ActionError,
    Job,
)
from penstock.api.contract.contracts import AwsAccess
from penstock.api.text import printable

# A service that says nothing for a minute is away; a stack's slow steps are polled, not waited for.
_READ_S = 60.0
# How many times to make a call that is throttled or meets a server's own failure. This is
# botocore's standard mode, with pauses.
_CALLS = 5
_ASSUMING = Config(
    connect_timeout=30,
    read_timeout=_READ_S,
    retries={"mode": "standard", "total_max_attempts": _CALLS},
)
# A result must fit a termination message of 4 KiB, beside variables and summary.
_MESSAGE_CHARACTERS = 1000
_DENIED = re.compile(
    r"AccessDenied|Unauthorized|NotAuthorized|Forbidden|AuthFailure|OptInRequired|SignatureDoesNotMatch|ExpiredToken|"
    r"InvalidToken|InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClient|RequestExpired|InvalidSignature"
)
_UNAVAILABLE = re.compile(
    r"Throttl|RequestLimitExceeded|TooManyRequests|LimitExceededException$|SlowDown|RequestTimeout|"
    r"ServiceUnavailable|InternalFailure|InternalError|InternalServerError|InternalServiceError"
)
_INVALID = re.compile(r"Validation|InvalidParameter|MalformedPolicy|InvalidInput|BadRequest")


def client(job: Job, service: str, *, attempts: int = _CALLS, read_s: float = _READ_S) -> Any:
    """Return a boto3 client for a service; raise ActionError without an identity or a region.

    It lives as long as the action: the credentials of an assumed role are renewed. A call is made
    up to ``attempts`` times, each of which may wait ``read_s`` seconds for an answer, and none
    beyond the deadline.
    """
    access = job.request.aws or AwsAccess()
    config = Config(
        connect_timeout=job.request.limits.connect_s,
        read_timeout=min(read_s, job.remaining()),
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent_extra="penstock",
        # The names of a server that is not AWS's own do not go on below its host's.
        s3={"addressing_style": "path" if access.endpoint else "auto"},
    )
    with calls():
        return _client(_session(job, access), service, access, config)


def keys_of(job: Job) -> Credentials:
    """Return the keys that this action acts with; raise ActionError without an identity.

    Those of an assumed role are good for an hour. What is secret of them is masked from now on.
    """
    with calls():
        found = _session(job, job.request.aws or AwsAccess()).get_credentials()
        if found is None:
            raise exceptions.NoCredentialsError
        keys = found.get_frozen_credentials()
    job.mask(text for text in (keys.secret_key, keys.token) if text)
    return Credentials(keys.access_key, keys.secret_key, keys.token)


def environment(job: Job) -> dict[str, str]:
    """Return the variables that let AWS's own tools act as this action.

    Raise ActionError without an identity.
    """
    access, keys = job.request.aws or AwsAccess(), keys_of(job)
    given = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_REGION": access.region,
        "AWS_DEFAULT_REGION": access.region,
        "AWS_ENDPOINT_URL": access.endpoint,
    }
    return {name: value for name, value in given.items() if value}


def store_credentials(job: Job) -> Mapping[str, str]:
    """Return this action's keys for the artifact store, named as in CodePipeline's event."""
    folder = job.request.store.credentials
    if folder:
        given = {key: _text(Path(folder) / key) for key in ("accessKeyId", "secretAccessKey")}
        return {**given, "sessionToken": ""}
    with calls():
        found = botocore.session.Session().get_credentials()
        if found is None:
            raise exceptions.NoCredentialsError
        keys = found.get_frozen_credentials()
    names = ("accessKeyId", "secretAccessKey", "sessionToken")
    return dict(zip(names, (keys.access_key, keys.secret_key, keys.token or ""), strict=True))


def _client(
    session: botocore.session.Session, service: str, access: AwsAccess, config: Config
) -> Any:
    return boto3.Session(botocore_session=session).client(
        service, region_name=access.region, endpoint_url=access.endpoint, config=config
    )


def _session(job: Job, access: AwsAccess) -> botocore.session.Session:
    session = botocore.session.Session()
    if given := _credentials(job.secret(CREDENTIALS_KEY), job):
        session._credentials = given
    for role in access.role_arns:
        session = _assumed(session, role, access, job)
    return session


def _credentials(folder: Path | None, job: Job) -> Credentials | None:
    """Read the mounted Secret; it must hold both keys."""
    if folder is None:
        return None
    name = job.request.configuration.get(CREDENTIALS_KEY)
    where = (
        f"configuration.{CREDENTIALS_KEY}: the Secret {name}"
        if name
        else "the BuildProject's credentialsSecret"
    )
    values = {
        key: _text(folder / key) for key in ("accessKeyId", "secretAccessKey", "sessionToken")
    }
    for key in ("accessKeyId", "secretAccessKey"):
        if not values[key]:
            raise ActionError(CONFIGURATION_ERROR, f"{where} is missing, or has no key {key}")
    return Credentials(
        values["accessKeyId"], values["secretAccessKey"], values["sessionToken"] or None
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _assumed(
    source: botocore.session.Session, role: str, access: AwsAccess, job: Job
) -> botocore.session.Session:
    """Return a session as a role, assumed at the first call and again before it expires."""
    identity = source.get_credentials()
    if identity is None:
        raise exceptions.NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        lambda service, **_: _client(source, service, access, _ASSUMING),
        identity,
        role,
        extra_args={"RoleSessionName": _session_name(job)},
    )
    session = botocore.session.Session()
    # botocore's own setter takes keys alone, and none that renew themselves.
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return session


def _session_name(job: Job) -> str:
    """Return what CloudTrail shows of who called: 2 to 64 of the characters that STS allows."""
    attempt = job.request.attempt
    return re.sub(
        r"[^\w+=,.@-]", "-", f"penstock-{attempt.namespace}-{attempt.pipeline}", flags=re.ASCII
    )[:64]


def client_token(job: Job, purpose: str = "") -> str:
    """Return a request's token: all tries of this attempt share it, so none starts it twice.

    50 characters: letters, digits and a hyphen, which every AWS service takes.
    """
    attempt = job.request.attempt
    identity = (attempt.run_uid, attempt.stage, attempt.action, str(attempt.attempt), purpose)
    return "penstock-" + hashlib.sha256("\0".join(identity).encode()).hexdigest()[:41]


def error_code(error: exceptions.ClientError) -> str:
    """Return the service's own word for an error, such as ``AccessDenied``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: exceptions.ClientError) -> str:
    """Return the service's own sentence for an error, on one line."""
    text = printable(str(error.response.get("Error", {}).get("Message", "")))
    return " ".join(text.split())[:_MESSAGE_CHARACTERS]


def is_throttled(error: exceptions.ClientError) -> bool:
    """Whether a service refused a call because there were too many."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == 429 or bool(re.search("Throttl|TooManyRequests", error_code(error)))


@contextmanager
def calls() -> Iterator[None]:
    """Turn boto3 errors into an ActionError: the failure's type (X-08), the service's own words."""
    try:
        yield
    except exceptions.ClientError as error:
        code = error_code(error)
        what = f"{error.operation_name}: {code}: {error_message(error)}"
        raise ActionError(_type_of(error, code), what) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        what = (
            f"no AWS credentials: give the Pipeline's service account an identity (web identity, "
            f"Pod Identity), or name a Secret in configuration.{CREDENTIALS_KEY}"
        )
        raise ActionError(PERMISSION_ERROR, what) from error
    except exceptions.NoRegionError as error:
        what = "no AWS region: set the action's region, or the installation's aws.region"
        raise ActionError(CONFIGURATION_ERROR, what) from error
    except (exceptions.ParamValidationError, exceptions.UnknownServiceError) as error:
        raise ActionError(
            CONFIGURATION_ERROR, " ".join(str(error).split())[:_MESSAGE_CHARACTERS]
        ) from error
    except exceptions.CredentialRetrievalError as error:
        raise ActionError(PERMISSION_ERROR, str(error)[:_MESSAGE_CHARACTERS]) from error
    except (exceptions.BotoCoreError, OSError) as error:
        raise ActionError(
            SYSTEM_UNAVAILABLE, f"AWS could not be reached: {error}"[:_MESSAGE_CHARACTERS]
        ) from error


def _type_of(error: exceptions.ClientError, code: str) -> str:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # Services have many words for one refusal, so that the word and the status count.
    if _DENIED.search(code) or status in (401, 403):
        return PERMISSION_ERROR
    if _UNAVAILABLE.search(code) or status == 429 or status >= 500:
        return SYSTEM_UNAVAILABLE
    return CONFIGURATION_ERROR if _INVALID.search(code) else JOB_FAILED
