"""Signs in to CodeCommit's Git servers with AWS keys, as git's credential helper of AWS does."""

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_TIME = "%Y%m%dT%H%M%S"


class SignedIn(NamedTuple):
    """A user and a password for one repository; CodeCommit takes them for 15 minutes."""

    user: str
    password: str


def sign_in(keys: Credentials, region: str, url: str, now: datetime | None = None) -> SignedIn:
    """Return the user and the password that AWS keys give for a repository's URL."""
    place = urlsplit(url)
    request = AWSRequest(method="GIT", url=url)
    request.context["timestamp"] = (now or datetime.now(UTC)).strftime(_TIME)
    signer = SigV4Auth(keys, "codecommit", region)
    canonical = f"GIT\n{place.path}\n\nhost:{place.netloc}\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    user = f"{keys.access_key}%{keys.token}" if keys.token else str(keys.access_key)
    return SignedIn(user, f"{request.context['timestamp']}Z{signature}")


def repository_url(endpoint: str | None, region: str, name: str) -> str:
    """Return where git finds a repository of a region, or of another server in place of AWS."""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    base = (endpoint or f"https://git-codecommit.{region}.{domain}").rstrip("/")
    return f"{base}/v1/repos/{name}"
