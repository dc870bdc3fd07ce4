"""Git LFS: which files are pointers, what is known of them before anything is
fetched, and servers that mean ill.
"""

import base64
import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.git import lfs_server
from penstock.actions.git.execution import run
from penstock.actions.git.lfs_server import LfsObject, LfsServer
from penstock.actions.git.remote import remote_of
from tests.support.git_lfs import ATTRIBUTES, pointer
from tests.support.git_objects import FOLDER, LINK, Objects
from tests.unit.actions.git_server import GitServer
from tests.unit.actions.jobs import FakeJob, request
from tests.unit.actions.lfs_server import Playback

DATA = b"hello"
WANTED = LfsObject(hashlib.sha256(DATA).hexdigest(), len(DATA), "a.bin")
LOGIN = "Basic " + base64.b64encode(b"ada:canary").decode()


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    served = GitServer(tmp_path / "served")
    yield served
    served.close()


@pytest.fixture
def shop(git_server: GitServer) -> Objects:
    return Objects(git_server.root / "shop.git")


@pytest.fixture
def playback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Playback]:
    monkeypatch.setattr(lfs_server, "_PAUSE_S", 0.0)
    served = Playback()
    yield served
    served.close()


def job_for(server: GitServer, tmp_path: Path, **configuration: str) -> FakeJob:
    settings = {"Url": f"{server.address}/shop.git", "Branch": "main", **configuration}
    return FakeJob(tmp_path / "job", request("git", settings))


def failure(job: FakeJob) -> tuple[str, str]:
    with pytest.raises(ActionError) as caught:
        run(job)
    return caught.value.code, caught.value.message


def fetch(playback: Playback, tmp_path: Path, authorization: str = "") -> bytes:
    job = FakeJob(tmp_path / "job", request("git", {}))
    remote = remote_of(f"{playback.address}/x.git")
    server, file = LfsServer(job, remote, remote.origin, authorization), BytesIO()
    server.download(WANTED, server.links([WANTED])[WANTED.oid], file)
    return file.getvalue()


def refusal(playback: Playback, tmp_path: Path, authorization: str = "") -> tuple[str, str]:
    with pytest.raises(ActionError) as caught:
        fetch(playback, tmp_path, authorization)
    prefix = f"Git LFS server {playback.address}/x.git/info/lfs: "
    assert caught.value.message.startswith(prefix) and caught.value.message.isprintable()
    return caught.value.code, caught.value.message.removeprefix(prefix)


def test_pointers_are_left_and_told_where_the_key_is_absent(
    git_server: GitServer, shop: Objects, tmp_path: Path
) -> None:
    """A pointer that .gitattributes do not name is a file as any other."""
    files = {
        b".gitattributes": ATTRIBUTES,
        b"a.bin": pointer(DATA),
        b"b\n.bin": pointer(DATA),
        b"c.txt": pointer(DATA),
    }
    shop.commit(shop.files(files))
    job = job_for(git_server, tmp_path)
    run(job)
    assert (
        job.lines[1]
        == '2 files are Git LFS pointers; set FetchLfs to "true" to fetch what they stand for'
    )
    assert (job.source / "a.bin").read_bytes() == pointer(DATA)


def test_files_that_are_no_pointers_need_no_server(
    git_server: GitServer, shop: Objects, tmp_path: Path
) -> None:
    shop.commit(shop.files({b".gitattributes": ATTRIBUTES, b"a.bin": b"as it is", b"b.bin": b""}))
    job = job_for(git_server, tmp_path, FetchLfs="true")
    run(job)
    assert (job.source / "a.bin").read_bytes() == b"as it is"


def test_sizes_are_added_up_before_anything_is_fetched(
    git_server: GitServer, shop: Objects, tmp_path: Path
) -> None:
    shop.commit(shop.files({b".gitattributes": ATTRIBUTES, b"a.bin": pointer(DATA, 10**17)}))
    code, message = failure(job_for(git_server, tmp_path, FetchLfs="true"))
    assert (code, ", with its files in Git LFS, is larger than " in message) == ("JobFailed", True)
    assert not [header for header in git_server.authorizations if header]


@pytest.mark.parametrize(
    "text",
    [
        pointer(DATA, 10**30),
        pointer(DATA).replace(b"sha256:", b"md5:"),
        pointer(DATA).replace(b"size 5", b"size -5"),
        pointer(DATA) + b"more\n",
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_malformed_pointer_is_named(
    git_server: GitServer, shop: Objects, tmp_path: Path, text: bytes
) -> None:
    shop.commit(shop.files({b".gitattributes": ATTRIBUTES, b"a.bin": text}))
    message = '"a.bin" begins as a Git LFS pointer and is none'
    assert failure(job_for(git_server, tmp_path, FetchLfs="true")) == ("JobFailed", message)


def test_pointer_behind_a_link_is_not_read(
    git_server: GitServer, shop: Objects, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.bin").write_bytes(pointer(DATA))
    folder = shop.files({b"x.bin": b"no pointer"})
    links = (
        (LINK, b"a", shop.blob(str(outside).encode())),
        (LINK, b"l.bin", shop.blob(b"../../outside/x.bin")),
    )
    shop.commit(shop.files({b".gitattributes": ATTRIBUTES}, *links, (FOLDER, b"a", folder)))
    job = job_for(git_server, tmp_path, FetchLfs="true")
    run(job)
    assert (outside / "x.bin").read_bytes() == pointer(DATA)


def test_object_comes_with_the_headers_of_its_link(playback: Playback, tmp_path: Path) -> None:
    playback.link(WANTED.oid, f"{playback.address}/object", Authorization="Bearer short-lived")
    playback.answers["/object"] = [(200, {}, DATA)]
    assert fetch(playback, tmp_path, LOGIN) == DATA
    assert playback.seen == [
        ("/x.git/info/lfs/objects/batch", LOGIN),
        ("/object", "Bearer short-lived"),
    ]


def test_credential_goes_to_its_own_origin_only(playback: Playback, tmp_path: Path) -> None:
    """Objects often are in a store elsewhere, and servers redirect: neither learns the password."""
    other = Playback()
    other.answers["/object"] = [(200, {}, DATA)]
    playback.link(WANTED.oid, f"{playback.address}/moved")
    playback.answers["/moved"] = [(302, {"Location": f"{other.address}/object"}, b"")]
    assert fetch(playback, tmp_path, LOGIN) == DATA
    playback.link(WANTED.oid, f"{other.address}/object")
    assert fetch(playback, tmp_path, LOGIN) == DATA
    playback.link(WANTED.oid, f"{playback.address}/moved", Authorization="Bearer short-lived")
    assert fetch(playback, tmp_path, LOGIN) == DATA
    other.close()
    assert other.seen == [("/object", None)] * 3


def test_answer_that_breaks_off_is_asked_for_again(playback: Playback, tmp_path: Path) -> None:
    playback.link(WANTED.oid, f"{playback.address}/object")
    playback.answers["/object"] = [(503, {}, b""), (200, {}, DATA[:2]), (200, {}, DATA)]
    assert fetch(playback, tmp_path) == DATA


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        ((200, {}, DATA * 100_000), "JobFailed", '"a.bin" is more than the 5 bytes of its pointer'),
        ((200, {}, b"HELLO"), "JobFailed", f'what came for "a.bin" is not {WANTED.oid}'),
        ((200, {}, b"hel"), "SystemUnavailable", '"a.bin" ended after 3 of 5 bytes'),
        ((200, {"Content-Length": "9"}, b"hel"), "SystemUnavailable", ""),
        (
            (302, {"Location": "file:///etc/passwd"}, b""),
            "SystemUnavailable",
            "it names an address that is not plain ",
        ),
        (
            (302, {"Location": "/object"}, b""),
            "SystemUnavailable",
            "it redirects more than 5 times",
        ),
        (
            (403, {}, b""),
            "PermissionError",
            "HTTP 403 Forbidden; CredentialsSecret must hold one who may read, ",
        ),
        ((404, {}, b""), "ConfigurationError", "HTTP 404 Not Found"),
    ],
)
def test_object_that_is_not_what_was_wanted_is_refused(
    playback: Playback,
    tmp_path: Path,
    answer: tuple[int, dict[str, str], bytes],
    code: str,
    message: str,
) -> None:
    playback.link(WANTED.oid, f"{playback.address}/object")
    playback.answers["/object"] = [answer]
    found, text = refusal(playback, tmp_path)
    assert (found, text[: len(message)]) == (code, message)


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (b"\x00garbage", "SystemUnavailable", "its answer is none of the batch API"),
        (b"[" * 100_000, "SystemUnavailable", "its answer is none of the batch API"),
        (b"x" * 5_000_000, "SystemUnavailable", "its answer is longer than 4194304 bytes"),
        (b'{"objects": []}', "SystemUnavailable", f'its answer leaves out "a.bin" ({WANTED.oid})'),
        (
            b'{"objects": [{"oid": 1}]}',
            "SystemUnavailable",
            f'its answer leaves out "a.bin" ({WANTED.oid})',
        ),
        (
            b'{"objects": [{"oid": "%s"}]}' % WANTED.oid.encode(),
            "SystemUnavailable",
            "its answer is none of the batch",
        ),
    ],
)
def test_batch_answer_that_is_none_is_refused(
    playback: Playback, tmp_path: Path, answer: bytes, code: str, message: str
) -> None:
    playback.answers["/x.git/info/lfs/objects/batch"] = [(200, {}, answer)]
    found, text = refusal(playback, tmp_path)
    assert (found, text[: len(message)]) == (code, message)


@pytest.mark.parametrize(
    "href", ["file:///etc/passwd", "ftp://host/x", "http://user:secret@host/x", "data:,x"]
)
def test_link_that_is_not_plain_http_is_refused(
    playback: Playback, tmp_path: Path, href: str
) -> None:
    playback.link(WANTED.oid, href)
    assert refusal(playback, tmp_path) == (
        "SystemUnavailable",
        "it names an address that is not plain http or https",
    )


def test_object_that_the_server_does_not_have_is_named(playback: Playback, tmp_path: Path) -> None:
    error = {"code": 404, "message": "Object \x1b[31mdoes not exist"}
    playback.batch({"objects": [{"oid": WANTED.oid, "error": error}]})
    message = f'"a.bin" ({WANTED.oid}): Object \\x1b[31mdoes not exist'
    assert refusal(playback, tmp_path) == ("JobFailed", message)


def test_server_without_lfs_and_one_that_does_not_answer_are_named(
    playback: Playback, tmp_path: Path
) -> None:
    assert refusal(playback, tmp_path) == ("ConfigurationError", "HTTP 404 Not Found")
    playback.answers["/x.git/info/lfs/objects/batch"] = [
        (302, {"Location": "http://elsewhere/"}, b"")
    ]
    assert refusal(playback, tmp_path, LOGIN)[0] == "ConfigurationError"
    playback.close()
    assert refusal(playback, tmp_path)[0] == "SystemUnavailable"
