"""Files of an artifact by an absolute path outside of the source folder (B-40).

They stand in the build's container, where the agent cannot look: the program
copies them at its end to where it can.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.actions.codebuild.buildspec import Artifacts, Buildspec
from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.quoting import quote

_FOLDER = ("report", "outside")
_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_GLOB = re.compile(r"[*?\[{]")


def code(buildspec: Buildspec, report: Path, source: Path) -> list[str]:
    """Return the shell code that copies them, nothing where no path can lead outside."""
    artifacts = [item for item in (buildspec.artifacts, *buildspec.secondary.values()) if item]
    # A variable may hold an absolute path.
    texts = dict.fromkeys(
        text.strip() for item in artifacts for text in item.files if text.strip()[:1] in ("/", "$")
    )
    plain = [text for text in texts if not _GLOB.search(_REFERENCE.sub("", text))]
    if not plain:
        return []
    folder, home = quote(str(report / "outside")), quote(str(source))
    return [
        "penstock_outside() {",
        f'  case "$1" in {home}|{home}/*) return ;; /*) ;; *) return ;; esac',
        '  if [ ! -f "$1" ]; then return; fi',
        # The agent must be able to read the copies, whatever umask a command has set.
        "  (umask 022",
        f"  mkdir -p {folder} && penstock_copy={folder}/$(printf '%s' \"$1\" | sed 's|_|_u|g; "
        f"s|/|_s|g')",
        '  cp "$1" "$penstock_copy" && chmod a+r "$penstock_copy") || :',
        "}",
        *(f"penstock_outside {_word(text)}" for text in plain),
    ]


def copied(root: str, path: str) -> tuple[str, ...] | None:
    """Return where the copy of an absolute path is below the workspace, None if there is none."""
    names = (*_FOLDER, path.replace("_", "_u").replace("/", "_s"))
    return names if Path(root, *names).is_file() else None


def check(buildspec: Buildspec, source: Path) -> None:
    """Refuse paths outside that cannot be copied, before anything runs.

    Raise ActionError with the key.
    """
    for key, text, is_file in _paths(buildspec):
        path = text.strip()
        is_outside = path.startswith("/") and not f"{path}/".startswith(f"{source}/")
        if is_outside and is_file and not _GLOB.search(path):
            continue
        if is_outside or ".." in path.split("/")[:1]:
            why = (
                "leads out of the source folder, and only single files by their absolute paths can "
                "be taken from there"
            )
            raise ActionError(
                CONFIGURATION_ERROR, f"{key}: {path} {why} (B-40); copy it into $CODEBUILD_SRC_DIR"
            )


def _paths(buildspec: Buildspec) -> Iterator[tuple[str, str, bool]]:
    groups: list[tuple[str, Artifacts, bool]] = []
    if buildspec.artifacts:
        groups.append(("artifacts", buildspec.artifacts, True))
    secondary = buildspec.secondary.items()
    groups += [(f"artifacts.secondary-artifacts.{name}", item, True) for name, item in secondary]
    groups += [(f"reports.{group.name}", group.files, False) for group in buildspec.reports]
    for key, item, is_file in groups:
        yield from _numbered(f"{key}.files", item.files, is_file)
        yield from _numbered(f"{key}.exclude-paths", item.exclude_paths, False)
        yield f"{key}.base-directory", item.base_directory, False


def _numbered(key: str, texts: Iterable[str], is_file: bool) -> Iterator[tuple[str, str, bool]]:
    yield from ((f"{key}[{index}]", text, is_file) for index, text in enumerate(texts))


def _word(text: str) -> str:
    """Return a shell word that expands to the text with its variables' values in their places."""
    found, at = "", 0
    for match in _REFERENCE.finditer(text):
        found += quote(text[at : match.start()]) if match.start() > at else ""
        found += f'"${{{match[1] or match[2]}-}}"'
        at = match.end()
    return found + (quote(text[at:]) if at < len(text) else "")
