"""Through which proxy an address is reached, as Go's programs decide, kubectl among them.

The rules are those of golang.org/x/net/http/httpproxy: HTTPS_PROXY for https and HTTP_PROXY for
http, upper case first; NO_PROXY with names, addresses, ranges and ports; what is on this machine is
never reached through a proxy.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def proxy_for(address: str, environ: Mapping[str, str]) -> str | None:
    """Return the URL of an address's proxy, or None; raise ValueError if there is no host."""
    url = urlsplit(address)
    upper = f"{url.scheme.upper()}_PROXY"
    proxy = environ.get(upper) or environ.get(upper.lower()) or ""
    # Under CGI a caller sets HTTP_PROXY by a header, and Go ignores it there (httpoxy).
    if not proxy or (url.scheme == "http" and environ.get("REQUEST_METHOD")):
        return None
    excluded = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if _is_local(url) or any(_matches(url, entry.strip().lower()) for entry in excluded.split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _host(url: SplitResult) -> str:
    return (url.hostname or "").lower().rstrip(".")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _is_local(url: SplitResult) -> bool:
    address = _address(_host(url))
    return _host(url) == "localhost" or (address is not None and address.is_loopback)


def _matches(url: SplitResult, entry: str) -> bool:
    """Whether an entry of NO_PROXY means the address."""
    if entry in ("", "*"):
        return entry == "*"
    host, address = _host(url), _address(_host(url))
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, port = _split(entry)
    if port and port != str(url.port or _PORTS.get(url.scheme)):
        return False
    if named := _address(name):
        return named == address
    if address is not None or not name:
        return False
    suffix = name.removeprefix("*")
    return (
        host.endswith(suffix)
        if suffix.startswith(".")
        else host == name or host.endswith(f".{name}")
    )


def _split(entry: str) -> tuple[str, str]:
    """Return host and port of an entry; an IPv6 address has a port only in brackets."""
    if _address(entry):
        return entry, ""
    name, separator, port = entry.rpartition(":")
    return (name.strip("[]"), port) if separator and port.isdigit() else (entry, "")
