"""Prints the figures by which the house is judged: sizes of files, functions and folders, comments.

Lines depend on how wide a line may be and on docstrings; statements do not. So functions are
counted in both.

``python -m tests.tools.house [folder]`` measures a source tree, this one's if none is named.
"""

import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

SOURCE = Path(__file__).resolve().parents[2] / "operator" / "penstock"
LONG = 100

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Sizes(NamedTuple):
    """Sizes of many things of one kind."""

    median: float
    p90: float
    largest: int

    @classmethod
    def of(cls, sizes: list[int]) -> Self:
        """Return the figures of a list of sizes."""
        return cls(statistics.median(sizes), statistics.quantiles(sizes, n=10)[-1], max(sizes))

    def __str__(self) -> str:
        return f"{self.median:.0f} / {self.p90:.0f} / {self.largest}"


class Figures(NamedTuple):
    """What is measured; shares are of all lines that are not blank."""

    files: int
    file_lines: Sizes
    function_lines: Sizes
    function_statements: Sizes
    comments: float
    docstrings: float
    biggest_folder: tuple[str, int]
    long_lines: float


def measure(source: Path) -> Figures:
    """Return the figures of a tree of Python files."""
    files = sorted(source.rglob("*.py"))
    texts = {path: path.read_text() for path in files}
    sizes = [len(text.splitlines()) for text in texts.values()]
    trees = [ast.parse(text) for text in texts.values()]
    functions = [function for tree in trees for function in functions_of(tree)]
    lines = sum(sum(map(bool, map(str.strip, text.splitlines()))) for text in texts.values())
    folders = Counter(path.parent for path in files)
    biggest, count = folders.most_common(1)[0]
    return Figures(
        files=len(files),
        file_lines=Sizes.of(sizes),
        function_lines=Sizes.of([line_count(function) for function in functions]),
        function_statements=Sizes.of([statement_count(function) for function in functions]),
        comments=sum(map(comment_lines, texts.values())) / lines,
        docstrings=sum(map(docstring_lines, trees)) / lines,
        biggest_folder=(str(biggest.relative_to(source)), count),
        long_lines=sum(len(line) > LONG for text in texts.values() for line in text.splitlines())
        / sum(sizes),
    )


def functions_of(tree: ast.AST) -> Iterator[Function]:
    """Yield every function, methods and inner ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def line_count(function: Function) -> int:
    """Return how many lines a function has, from its name to its end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def statement_count(function: Function) -> int:
    """Return how many statements a function has, nested ones included, its docstring not."""
    inner = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return inner - bool(ast.get_docstring(function))


def comment_lines(text: str) -> int:
    """Return how many lines hold nothing but a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(
        token.type == tokenize.COMMENT and token.line.lstrip().startswith("#") for token in tokens
    )


def docstring_lines(tree: ast.AST) -> int:
    """Return how many lines docstrings take, of fields too."""
    return sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def main() -> None:
    """Print a line per figure."""
    found = measure(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
    folder, count = found.biggest_folder
    print(f"files                        {found.files}")
    print("median / p90 / max")
    print(f"  lines of a file            {found.file_lines}")
    print(f"  lines of a function        {found.function_lines}")
    print(f"  statements of a function   {found.function_statements}")
    print(f"comment lines                {found.comments:.1%}")
    print(f"docstring lines              {found.docstrings:.1%}")
    print(f"biggest folder               {folder}: {count}")
    print(f"lines over {LONG} characters    {found.long_lines:.1%}")


if __name__ == "__main__":
    main()
