"""Questions to a running cluster, each answered within a second."""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
import urllib.error
import urllib.request
from pathlib import Path

# Nothing asked here lies behind a proxy, whatever the environment says.
_DIRECT = urllib.request.ProxyHandler({})


def answers(url: str, authority: Path | None = None) -> bool:
    """Tell whether a URL answers 200."""
    handlers: list[urllib.request.BaseHandler] = [_DIRECT]
    if authority:
        context = ssl.create_default_context(cafile=str(authority))
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def listens(address: str, port: int) -> bool:
    """Tell whether something accepts connections."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def resolves(server: str, name: str) -> bool:
    """Tell whether a DNS server knows an address of a name, asking it and not
    the host's resolver.
    """
    number = secrets.randbits(16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = (
        struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        try:
            client.sendto(query, (server, 53))
            answer = client.recv(512)
        except OSError:
            return False
    echoed, flags, _, found = struct.unpack(">4H", answer[:8])
    return bool(echoed == number and flags & 0xF == 0 and found > 0)
