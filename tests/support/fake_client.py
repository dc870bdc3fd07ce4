"""The operator's client on a fake server: all of it but the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.cluster.client import APPLY_PATCH, Client
from penstock.cluster.credentials import Credentials
from penstock.cluster.errors import error_of
from penstock.cluster.pages import PageSize
from tests.support.fake_documents import Document, copied
from tests.support.fake_requests import Refusal
from tests.support.fake_server import FakeServer


class FakeClient(Client):
    """What `Client` is, with `send` alone replaced: fence, JSON and errors are as on the wire."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(Credentials("http://fake"))
        self.server = server

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "",
        is_effect: bool = True,
        page: PageSize | None = None,
    ) -> Document:
        """Let the fake server answer; raise the ClusterError that another answer means."""
        if is_effect and method != "GET":
            self.fence()
        assert content_type != APPLY_PATCH, "the fake server knows merge patches alone"
        try:
            answer = self.server.answer(method, path, query or {}, copied(body))
        except Refusal as refusal:
            what = f"{method} {path}"
            raise error_of(what, refusal.status, refusal.reason, refusal.message) from None
        document: Document = copied(answer)
        return document
