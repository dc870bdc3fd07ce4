"""Which addresses a user's Url may lead to: what is not known to be the internet's is refused."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.triggers.sources.addresses import (
    AddressRules,
    RefusedAddressError,
    is_of_the_internet,
    plain,
)

METADATA = (
    "169.254.169.254",
    "192.0.0.192",
    "168.63.129.16",
    "100.100.100.200",
    "10.0.0.1",
    "127.0.0.1",
    "0.0.0.0",
)


def packed(text: str) -> int:
    return int(ipaddress.IPv4Address(text))


def within_ipv6(text: str) -> list[str]:
    """Return the forms in which IPv6 carries an IPv4 address."""
    inner = packed(text)
    prefixes = (
        "::",
        "::ffff:0:0",
        "::ffff:0:0:0",
        "64:ff9b::",
        "64:ff9b:1::",
        "2001:db8::5efe:0:0",
        "2a00::200:5efe:0:0",
    )
    forms = [
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | inner))
        for prefix in prefixes
    ]
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (inner << 80) | 1)
    teredo = ipaddress.IPv6Address(
        (0x20010000 << 96) | (packed("8.8.8.8") << 64) | (inner ^ 0xFFFFFFFF)
    )
    return [*forms, str(six_to_four), str(teredo)]


@pytest.mark.parametrize(
    "address", [*METADATA, *(form for text in METADATA for form in within_ipv6(text))]
)
def test_weak_clouds_metadata_and_inner_networks_are_refused_in_every_form(address: str) -> None:
    with pytest.raises(RefusedAddressError, match="allowedHosts"):
        AddressRules().check("git.example.com", address)


@pytest.mark.parametrize(
    "address",
    [
        "fec0::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "::", "::1", "ff02::1",
        "100::1", "5f00::1",
        "2001:db8::1", "3fff::1", "2001:2::1", "2001:10::1", "4000::1", "64:ff9b:1::808:808",
        "192.88.99.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "203.0.113.1", "192.0.2.1",
        "192.168.0.1",
    ],
)  # fmt: skip
def test_weak_address_that_the_internet_does_not_give_out_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        AddressRules().check("git.example.com", address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "140.82.121.3", "2606:50c0:8000::153", "2a00:1450:4001::5e", "64:ff9b::808:808"],
)
def test_address_of_the_internet_may_be_connected_to(address: str) -> None:
    AddressRules().check("git.example.com", address)


@given(st.ip_addresses(v=6))
def test_weak_address_of_ipv6_leads_nowhere_that_its_inner_address_may_not(
    address: ipaddress.IPv6Address,
) -> None:
    inner = plain(str(address))
    if is_of_the_internet(inner):
        assert inner.is_global
        assert inner.version == 4 or str(address)[0] in "23"


def test_network_that_is_allowed_is_allowed_in_the_form_that_is_reached() -> None:
    rules = AddressRules(allowed=(ipaddress.ip_network("10.1.0.0/16"),))
    rules.check("git.internal", "::ffff:10.1.2.3")
    with pytest.raises(RefusedAddressError):
        rules.check("git.internal", "::ffff:10.2.2.3")
