"""What an object says of itself (P-48): a type and an encoding, told by its name.

A browser undoes gzip and Brotli by itself, and only then shows what is inside: a file that is meant
to be shown (``app.js.gz``, ``icon.svgz``) has the inner type and the encoding. An archive is meant
to be kept as it is: it has a type of its own, and no encoding that would open it on the way.
"""

import mimetypes
from typing import NamedTuple

# What mimetypes calls an encoding and every browser decodes.
_ENCODINGS = {"gzip": "gzip", "br": "br"}
_PACKED = {
    "gzip": "application/gzip",
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
}
_SUFFIXES = {
    ".z": "application/x-compress", ".zst": "application/zstd", ".lz": "application/x-lzip",
    ".lzma": "application/x-lzma", ".lz4": "application/x-lz4",
    ".7z": "application/x-7z-compressed",
}  # fmt: skip
_ADDED = {
    ".avif": "image/avif", ".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2",
    ".wasm": "application/wasm", ".mjs": "text/javascript", ".js": "text/javascript",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json", ".xml": "application/xml", ".md": "text/markdown",
    ".svg": "image/svg+xml", ".ico": "image/vnd.microsoft.icon", ".yaml": "application/yaml",
    ".yml": "application/yaml",
}  # fmt: skip
_SHOWN = ("text/", "image/", "font/", "application/json", "application/xml",
    "application/javascript",
          "application/wasm", "application/manifest+json", "application/yaml",
          "application/xhtml+xml",
          "application/rss+xml", "application/atom+xml", "application/pdf")  # fmt: skip
# Not the one of the machine: the same name has the same type wherever the agent runs.
_TABLE = mimetypes.MimeTypes(filenames=())
for _suffix, _type in _ADDED.items():
    _TABLE.add_type(_type, _suffix)
_TABLE.encodings_map[".br"] = "br"


class Content(NamedTuple):
    """An object's Content-Type and Content-Encoding; None if unknown, or if not encoded."""

    type: str | None = None
    encoding: str | None = None


def content_of(name: str) -> Content:
    """Return what a file's name says; an unknown name says nothing."""
    lower = name.lower()
    for suffix, packed in _SUFFIXES.items():
        if lower.endswith(suffix):
            return Content(packed)
    # mimetypes reads URLs, and a file's name may hold a colon.
    inner, encoding = _TABLE.guess_type(f"file/{lower}", strict=False)
    if encoding is None:
        return Content(inner)
    if encoding in _ENCODINGS and inner and inner.startswith(_SHOWN):
        return Content(inner, _ENCODINGS[encoding])
    return Content(_PACKED.get(encoding))
