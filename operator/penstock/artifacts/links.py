"""Follows symbolic links by name in a tree that commands wrote; later opens follow none.

The answer is a path without links. Whoever opens it name by name, refusing links, opens that or
nothing: a tree that changes under way cannot lead anywhere else.
"""

import errno
from pathlib import Path

# As many as Linux follows.
_HOPS = 40


class LinkError(Exception):
    """No file or folder to take is at a link's end; the text says why, and follows its name."""


class DanglingError(LinkError):
    """A link leads to nothing, or for ever round."""


def resolve(root: str, names: tuple[str, ...], below: int = 1) -> tuple[str, ...]:
    """Return the names below ``root`` that a path comes to, links followed.

    It may not leave the folder that its first ``below`` names make. Raise LinkError for where it
    does, DanglingError where nothing is.
    """
    region, done, todo, hops, said = (
        names[:below],
        list(names[:below]),
        list(reversed(names[below:])),
        0,
        "",
    )
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            if len(done) <= below:
                raise LinkError(f"is a symbolic link that leads out of the workspace (-> {said})")
            done.pop()
            continue
        target = _target(Path(root, *done, name))
        if target is None:
            done.append(name)
            continue
        hops, said = hops + 1, target
        if hops > _HOPS:
            raise DanglingError("is a symbolic link that leads round in a circle")
        if target.startswith("/"):
            home = str(Path(root, *region))
            if target != home and not target.startswith(f"{home}/"):
                raise LinkError(f"is a symbolic link that leads out of the workspace (-> {target})")
            # An absolute link that stays inside begins again at the top of the region.
            done, target = list(region), target[len(home) :]
        todo.extend(reversed(target.split("/")))
    if len(done) <= below:
        raise LinkError(f"is a symbolic link that leads out of the workspace (-> {said})")
    return tuple(done)


def _target(path: Path) -> str | None:
    """Return what a link says, None for what is no link."""
    try:
        return str(path.readlink())
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise DanglingError("is a symbolic link to something that is not there") from error
        raise LinkError(f"is a symbolic link that cannot be followed: {error.strerror}") from error
