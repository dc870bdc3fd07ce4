"""The import law, by import-linter and by a look at the files; what resolvers
once did wrong; sizes.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from penstock.actions.declaration import declarations

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "operator" / "penstock"
ROOMS = {
    "api", "engine", "actions", "artifacts", "agent", "cluster", "controller", "handlers",
    "triggers",
    "codepipeline", "cli", "runtime",
}  # fmt: skip
PURE = (
    "time",
    "random",
    "os",
    "socket",
    "asyncio",
    "logging",
    "subprocess",
    "pathlib",
    "threading",
)
MODULES = sorted(SOURCE.rglob("*.py"))
DECIDING = [
    path for path in MODULES if path.relative_to(SOURCE).parts[0] in ("engine", "controller")
]


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree, parsed once for all tests."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> set[str]:
    """Return every module that a file imports, at its top or anywhere else."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def test_rooms_are_those_of_the_design_and_the_source_root_is_no_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert {
        path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"
    } <= ROOMS


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": "operator"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    found = roots(path)
    if room != "handlers":
        assert "kopf" not in found
    is_pure = room in ("api", "engine") or path.name in ("declaration.py", "aws_configuration.py")
    if is_pure or room not in ("triggers", "actions"):
        assert not {"boto3", "botocore"} & found
    if is_pure:
        assert not set(PURE) & found, "decisions read no clock and do no input or output"
    if room in ("agent", "artifacts") or path.name in ("contracts.py", "documents.py"):
        assert "pydantic" not in found, "every action pays for the agent's start"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_says_why_it_is_there_and_stays_readable(path: Path) -> None:
    text, tree = path.read_text(), tree_of(path)
    assert ast.get_docstring(tree), "a module begins with its reason"
    assert len(text.splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, node.name
            assert is_command(node.name, text) or len(positional(node)) <= 5, node.name


def positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the parameters that may be given by place."""
    arguments = function.args
    return [
        item.arg
        for item in (*arguments.posonlyargs, *arguments.args)
        if item.arg not in ("self", "cls")
    ]


def is_command(name: str, text: str) -> bool:
    """Whether a function is a command of the CLI: its parameters are the
    command's options, given by name.
    """
    return bool(re.search(rf"\.command\([^)]*\)\({name}\)|\.command\([^)]*\)\ndef {name}\(", text))


def test_no_folder_is_larger_than_can_be_taken_in_at_a_glance() -> None:
    folders = Counter(str(path.parent.relative_to(SOURCE)) for path in MODULES)
    assert {folder: count for folder, count in folders.items() if count > 14} == {}


@pytest.mark.parametrize("path", DECIDING, ids=lambda path: str(path.relative_to(SOURCE)))
def test_engine_names_no_provider(path: Path) -> None:
    """A provider says of itself what the engine needs to know: a new one changes nothing there."""
    names = {known.provider for known in declarations()} | {
        known.rule.name for known in declarations() if known.rule
    }
    texts = {node.value for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant)}
    assert names & texts == set()


def test_no_two_public_classes_have_one_name() -> None:
    classes = Counter(
        node.name
        for path in MODULES
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in classes.items() if count > 1] == []


def test_resolver_took_the_libraries_that_were_meant() -> None:
    assert int(version("kubernetes").split(".")[0]) == 37
    assert version("kubernetes") != "37.0.2"
    assert tuple(map(int, version("boto3").split(".")[:2])) >= (1, 44)
    assert tuple(map(int, version("kopf").split(".")[:2])) >= (1, 45)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_locked_requirements_carry_hashes_and_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and line[0].isalnum()]
    assert all("==" in line for line in pins)


def test_top_level_holds_what_the_design_names() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
    ).stdout.splitlines()
    top = {name.partition("/")[0] for name in tracked if not name.startswith(".")}
    assert top <= {
        "pyproject.toml", "README.md", "operator", "crds", "charts", "tests", "examples",
        "Makefile", "LICENSE",
        "requirements.txt", "requirements-dev.txt",
    }  # fmt: skip
