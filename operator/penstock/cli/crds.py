"""Writes ``crds/`` and the chart's copy of it; run by ``make crds``, checked by a test."""

import json
import sys
from pathlib import Path

import yaml

from penstock.api.crd.crds import RESOURCES, CustomResource, crd_of

_HEADER = (
    "# Generated from operator/penstock/api by `make crds`: change the models, not this file.\n"
)
_LIMIT = 100_000


def render(resource: CustomResource) -> str:
    """Return the YAML of one CRD; raise ValueError when it has grown over 100 KB as JSON."""
    crd = crd_of(resource)
    size = len(json.dumps(crd))
    if size > _LIMIT:
        raise ValueError(f"{resource.plural} is {size} bytes as JSON, more than {_LIMIT}")
    return _HEADER + yaml.safe_dump(crd, sort_keys=False, width=120)


def main(root: Path) -> None:
    """Write every CRD below the checkout's root."""
    for folder in (root / "crds", root / "charts" / "penstock" / "files" / "crds"):
        folder.mkdir(parents=True, exist_ok=True)
        for resource in RESOURCES:
            (folder / f"{resource.plural}.yaml").write_text(render(resource))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
