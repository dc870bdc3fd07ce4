"""Weak: a secret is hidden in the forms in which tools print it, and what is no secret stays."""

from __future__ import annotations

import base64
import html
import json
import shlex
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.agent.output.masking import MASK, Masker

SECRET = "k9$Pw/x+Zq'7&é=\"Q~mT"
LONG = "-----BEGIN KEY-----\n" + "\n".join(
    textwrap.wrap(base64.b64encode(bytes(range(256)) * 4).decode(), 64)
)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "reversed": lambda text: text[::-1],
    "base64": b64,
    "base64 with a newline": lambda text: b64(text + "\n"),
    "base64 behind one byte": lambda text: b64(f"a{text}"),
    "base64 behind two bytes": lambda text: b64(f"ab{text}cd"),
    "base64 of user and password": lambda text: b64(f"user:{text}"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "URL": lambda text: quote(text, safe=""),
    "url": lambda text: quote(text, safe="").lower() if text.islower() else quote(text),
    "form": quote_plus,
    "JSON": lambda text: json.dumps({"token": text}),
    "JSON in UTF-8": lambda text: json.dumps({"token": text}, ensure_ascii=False),
    "HTML": html.escape,
    "shell": lambda text: "'" + text.replace("'", "'\\''") + "'",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "secret", [SECRET, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "hunter2-and-more"]
)
def test_weak_secret_is_hidden_in_every_form(form: Callable[[str], str], secret: str) -> None:
    shown = form(secret)
    told = Masker([secret]).mask_text(f"before {shown} after")
    assert (told.startswith("before "), told.endswith(" after"), MASK in told) == (True, True, True)
    left = told.removeprefix("before ").removesuffix(" after").replace(MASK, "")
    assert len(left) <= max(len(shown) - len(secret) * 2 // 3, 14), left


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r", min_codepoint=33),
    min_size=8, max_size=40),
       st.binary(max_size=60), st.binary(max_size=60), st.sampled_from([60, 64, 76]))  # fmt: skip
def test_weak_folded_base64_shows_no_line_of_a_secret(
    secret: str, before: bytes, after: bytes, width: int
) -> None:
    data = secret.strip().encode()
    if len(data) < 30:
        data = data * 5
    blob = base64.b64encode(before + data + after).decode()
    lines = Masker([data.decode()]).mask_text(
        "\n".join(blob[at : at + width] for at in range(0, len(blob), width))
    )
    shown = [line for line in lines.split("\n") if MASK not in line]
    start, end = 4 * len(before) // 3, 4 * (len(before) + len(data)) // 3
    left = sum(
        max(0, min(end, (index + 1) * width) - max(start, index * width))
        for index, line in enumerate(lines.split("\n"))
        if MASK not in line
    )
    assert left <= 2 * 60, shown


def test_weak_every_line_of_a_long_secret_in_base64_is_hidden() -> None:
    for width in (64, 76):
        blob = base64.encodebytes(LONG.encode()).decode().replace("\n", "")
        lines = [blob[at : at + width] for at in range(0, len(blob), width)]
        told = Masker([LONG]).mask_text("\n".join(lines)).split("\n")
        assert [
            line
            for line, shown in zip(told, lines, strict=True)
            if line == shown and len(shown) > 16
        ] == []
    for line in LONG.splitlines():
        assert Masker([LONG]).mask_text(f"x {line} y") == f"x {MASK} y"


@pytest.mark.parametrize(
    ("secret", "hidden"),
    [
        ('{"auths": {"registry": {"username": "bob", "password": "s3cr3t-one"}}}', ["s3cr3t-one"]),
        (
            '["s3cr3t-one", {"deep": ["s3cr3t-two", 123456789]}]',
            ["s3cr3t-one", "s3cr3t-two", "123456789"],
        ),
        (
            "# env\nDB_PASSWORD=s3cr3t-one\nexport TOKEN='s3cr3t-two'\n",
            ["s3cr3t-one", "s3cr3t-two"],
        ),
        ("password: s3cr3t-one\n", ["s3cr3t-one"]),
        ("{not json\nA=s3cr3t-one", ["s3cr3t-one"]),
    ],
)
def test_weak_values_in_a_secret_that_is_json_or_an_environment_are_secrets(
    secret: str, hidden: list[str]
) -> None:
    masker = Masker([secret])
    for value in hidden:
        assert masker.mask_text(f"x={value};") == f"x={MASK};"
        assert value not in masker.mask_text(shlex.quote(value))
        assert MASK in masker.mask_text(f"t {b64(value)} t")


@pytest.mark.parametrize(
    "text", ["ok", "true", "production", "bob", "localhost", "A=1 done", "registry", "abc"]
)
def test_ordinary_words_of_a_secret_are_not_blotted_out(text: str) -> None:
    masker = Masker(
        [
            "DEBUG=true\nENV=production\nHOST=localhost\nA=1",
            '{"username": "bob-the-builder"}',
            "abc",
        ]
    )
    assert masker.mask_text(f"say {text} now bob-the-builder") == f"say {text} now bob-the-builder"


@given(st.lists(st.text(min_size=4, max_size=30), max_size=12), st.binary(max_size=300))
def test_many_secrets_are_searched_for_like_a_few(secrets: list[str], noise: bytes) -> None:
    few, many = (
        Masker(secrets[:1]),
        Masker([*secrets, *(f"never-printed-{number:08}" for number in range(9))]),
    )
    for secret in secrets[:1]:
        text = secret.splitlines()[0].strip() if secret.splitlines() else ""
        if len(text.encode()) >= 4:
            for masker in (few, many):
                assert text.encode() not in masker.mask(
                    noise + b" " + text.encode() + b" "
                ).replace(MASK.encode(), b"")
    if not secrets:
        assert many.mask(noise) == noise


@given(
    st.text(st.characters(codec="utf-8"), min_size=4, max_size=40),
    st.binary(max_size=24),
    st.binary(max_size=24),
)
def test_weak_secret_is_found_wherever_it_begins(secret: str, before: bytes, after: bytes) -> None:
    """What is looked at first are places at fixed distances: no place of a
    secret lies between them.
    """
    line = secret.splitlines()[0].strip().encode() if secret.splitlines() else b""
    masker = Masker([line.decode(), "another-secret-of-some-length"])
    for shift in range(17 if len(line) >= 4 else 0):
        for text in (line, line[::-1] if line.isascii() else line, line.hex().encode()):
            told = masker.mask(before + b" " * shift + b"|" + text + b"|" + after)
            assert b"|" + text + b"|" not in told


def test_weak_secret_of_short_lines_is_hidden_as_the_whole_that_it_is() -> None:
    for secrets in (["é1\n\\c1\n0"], ["é1\n\\c1\n0", "another-secret-of-some-length"]):
        masker = Masker(secrets)
        assert (
            masker.mask_text(f"x {b64(secrets[0])} y {secrets[0].encode().hex()} z")
            == f"x {MASK} y {MASK} z"
        )


def test_every_secret_more_costs_no_search_more_in_what_holds_none() -> None:
    """Counted in looks at the data: one for all secrets that are long enough."""

    class Counted(bytes):
        looks = 0

        def __contains__(self, item: object) -> bool:
            Counted.looks += 1
            return super().__contains__(item)  # type: ignore[operator]

    for count in (5, 100):
        Counted.looks = 0
        masker = Masker(f"never-printed-{number:08}-{'x' * 20}" for number in range(count))
        assert (
            masker.mask(Counted(b"an ordinary line of a log\n" * 100))
            == b"an ordinary line of a log\n" * 100
        )
        assert Counted.looks == 0
