"""Which addresses a user's Url may lead to (GHSA-j94x-8wcp-x7hm of Kargo).

What is checked is what is connected to: git is told the address that was
found good, and follows no redirect.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The only part of IPv6 from which addresses of the internet are given out; all else is refused.
_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_OF_THE_INTERNET = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's own, in every virtual network
        "192.0.0.0/24",  # of protocols; Oracle's metadata at 192.0.0.192
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # of protocols; Teredo's are judged by what is within
        "2001:db8::/32",
        "3fff::/20",
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)


class RefusedAddressError(Exception):
    """The host may not be connected to, or has no address; the message says why."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Exceptions to the internet's addresses: allowed hosts and networks, forbidden networks."""

    allowed_hosts: frozenset[str] = frozenset()
    allowed: tuple[Network, ...] = ()
    refused: tuple[Network, ...] = ()

    def check(self, host: str, address: str) -> None:
        """Raise RefusedAddressError unless the address of a host may be connected to."""
        if host.lower().rstrip(".") in self.allowed_hosts:
            return
        found = plain(address)
        # What is allowed comes before every refusal.
        if any(found in network for network in self.allowed if network.version == found.version):
            return
        is_refused = any(
            found in network for network in self.refused if network.version == found.version
        )
        if is_refused or not is_of_the_internet(found):
            raise RefusedAddressError(
                f"{host} is at {address}, an address within the cluster or its network; the "
                f"chart's triggers.allowedHosts and triggers.allowedCidrs allow it"
            )


def is_of_the_internet(address: Address) -> bool:
    """Whether an address is one that the internet's registries give out, and leads nowhere else."""
    if not address.is_global or address.is_multicast:
        return False
    if any(
        address in network for network in _NOT_OF_THE_INTERNET if network.version == address.version
    ):
        return False
    return address.version == 4 or address in _UNICAST


def plain(address: str) -> Address:
    """Return the address that is really reached: IPv4 within IPv6 is unwrapped."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and (found in _NAT64 or int(found) >> 32 & 0xFFFFFFFF in _ISATAP):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return inner or found
    return found


def refuse_odd_number(host: str) -> None:
    """Refuse an address in another notation than the usual, such as 2130706433 or 0x7f.1."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    if ":" in host or not (last.isdigit() or last.startswith("0x")):
        return
    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        raise RefusedAddressError(
            f"{host} is neither a host name nor an address in dotted decimal"
        ) from error


async def address_of(host: str, port: int, rules: AddressRules, limit_s: float) -> str:
    """Return an address of a host, all of which may be connected to."""
    refuse_odd_number(host)
    try:
        async with asyncio.timeout(limit_s):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except (OSError, UnicodeError, TimeoutError) as error:
        raise RefusedAddressError(
            f"{host} could not be resolved: {error or 'no answer in time'}"
        ) from error
    addresses: Sequence[str] = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise RefusedAddressError(f"{host} has no address")
    for address in addresses:
        rules.check(host, address)
    return addresses[0]
