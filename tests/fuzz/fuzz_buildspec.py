"""Buildspecs: whatever the text, a buildspec comes of it or YAML_FILE_ERROR
or ConfigurationError, never more.
"""

from __future__ import annotations

import random

from penstock.actions.codebuild.buildspec import Buildspec, parse
from penstock.actions.codebuild.buildspec_yaml import is_inline
from penstock.actions.execution import ActionError
from tests.fuzz.mutations import mutated

_GOOD = b"""version: 0.2
run-as: root
env: {shell: bash, variables: &v {A: one}, exported-variables: [TAG], parameter-store: }
phases:
  install: {runtime-versions: {python: 3.12}, commands: [a]}
  build: &b {commands: ['echo $A', "x\\ty"], finally: [c], on-failure: CONTINUE}
  post_build: {<<: *b}
reports: {unit: {files: ['**/*.xml'], file-format: JUNITXML, base-directory: x}}
artifacts: {files: ['**/*'], name: n, discard-paths: yes, secondary-artifacts: {One: {files: a}}}
cache: {paths: [x]}
"""
_WORDS = [
    b"<<: *b",
    b"&x",
    b"*x",
    b"*v",
    b"[",
    b"{",
    b"- ",
    b"? ",
    b": ",
    b"!!python/object:os.system ",
    b"~",
    b"\t",
    b"---\n",
    b"...\n",
    b"|\n",
    b"phases",
    b"version: 0.1\n",
    b"\xef\xbb\xbf",
    b"\r",
    b"'",
    b"%YAML 1.1\n",
]
_CODES = {"YAML_FILE_ERROR", "ConfigurationError"}


def one(source: random.Random) -> None:
    """Feed one hostile buildspec to the reader; raise AssertionError with it
    if anything else comes out.
    """
    text = mutated(source, _GOOD, _WORDS).decode(
        "utf-8", source.choice(["replace", "ignore", "surrogateescape"])
    )
    try:
        is_inline(text)
        found: Buildspec = parse(text)
    except ActionError as error:
        assert error.code in _CODES and len(error.message) < 2000, text
    except Exception as error:
        raise AssertionError(f"{error!r}: {text!r}") from error
    else:
        commands = (
            item for phase in found.phases.values() for item in (*phase.commands, *phase.finally_)
        )
        length = sum(map(len, commands))
        assert length <= 1024 * 1024, text
