"""Prints the figures by which the house is judged: sizes of files, functions
and folders, comments, import cycles.

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
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[2] / "operator" / "penstock"
LONG = 100


class Figures(NamedTuple):
    """What is measured. Sizes are in lines; shares are of all lines that are not blank."""

    files: int
    file_median: float
    file_p90: float
    file_max: int
    function_median: float
    function_p90: float
    function_max: int
    comments: float
    docstrings: float
    biggest_folder: tuple[str, int]
    long_lines: float


def measure(source: Path) -> Figures:
    """Return the figures of a tree of Python files."""
    files = sorted(source.rglob("*.py"))
    texts = {path: path.read_text() for path in files}
    sizes = [len(text.splitlines()) for text in texts.values()]
    functions = [size for text in texts.values() for size in function_sizes(ast.parse(text))]
    lines = sum(sum(map(bool, map(str.strip, text.splitlines()))) for text in texts.values())
    folders = Counter(path.parent for path in files)
    biggest, count = folders.most_common(1)[0]
    return Figures(
        files=len(files),
        file_median=statistics.median(sizes),
        file_p90=percentile(sizes),
        file_max=max(sizes),
        function_median=statistics.median(functions),
        function_p90=percentile(functions),
        function_max=max(functions),
        comments=sum(map(comment_lines, texts.values())) / lines,
        docstrings=sum(docstring_lines(ast.parse(text)) for text in texts.values()) / lines,
        biggest_folder=(str(biggest.relative_to(source)), count),
        long_lines=sum(len(line) > LONG for text in texts.values() for line in text.splitlines())
        / sum(sizes),
    )


def function_sizes(tree: ast.AST) -> Iterator[int]:
    """Yield how many lines each function has, from its name to its end."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1


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


def percentile(sizes: list[int]) -> float:
    """Return the size that nine of ten do not exceed."""
    return statistics.quantiles(sizes, n=10)[-1]


def main() -> None:
    """Print a line per figure."""
    found = measure(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
    folder, count = found.biggest_folder
    print(f"files                        {found.files}")
    print(
        f"file median / p90 / max      {found.file_median:.0f} / {found.file_p90:.0f} / "
        f"{found.file_max}"
    )
    print(
        f"function median / p90 / max  {found.function_median:.0f} / {found.function_p90:.0f} / "
        f"{found.function_max}"
    )
    print(f"comment lines                {found.comments:.1%}")
    print(f"docstring lines              {found.docstrings:.1%}")
    print(f"biggest folder               {folder}: {count}")
    print(f"lines over {LONG} characters    {found.long_lines:.1%}")


if __name__ == "__main__":
    main()
