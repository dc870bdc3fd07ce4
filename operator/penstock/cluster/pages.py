"""The size of a LIST page: smaller if the objects are large, to spare memory.

The server bounds an object (1.5 MB), not a page: what all namespaces have written would else be
held at one time, by an operator that has just been started again because that was too much for it.
"""

import aiohttp

# A page is parsed in memory, for eight passes at once.
MOST_BYTES = 4 * 1024 * 1024
# Objects of the first page, and of any: pages grow while they are small.
_FIRST, _MOST = 50, 500
# Below this the next page may be twice as long.
_SMALL_BYTES = 1024 * 1024


class PageTooLargeError(Exception):
    """A page has more than MOST_BYTES, and more than one object: ask for fewer."""


class PageSize:
    """The ``limit`` of the next page of one LIST."""

    def __init__(self) -> None:
        self.limit = _FIRST

    async def read(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body of a page of ``limit`` objects.

        Raise PageTooLargeError if it is too large, and ask for fewer next time.

        A page of a single object is read whatever its size.
        """
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES and self.limit > 1:
                self.limit = max(1, self.limit // 4)
                # What is left of the page shall not be read to its end.
                response.close()
                raise PageTooLargeError
        if len(body) < _SMALL_BYTES:
            self.limit = min(_MOST, self.limit * 2)
        return bytes(body)
