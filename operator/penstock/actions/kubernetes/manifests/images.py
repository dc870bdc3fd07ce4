"""Image definitions, CodePipeline's own format (P-44): which image the containers of a name get.

Pure: a document and manifests in, manifests out.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.actions.kubernetes.manifests.files import Manifest, copied

# Paths of pod templates in any kind: Deployments and their like, CronJobs, PodTemplates.
_TEMPLATES = (
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("template", "spec"),
)
_IMAGE = re.compile(r"[^\s\x00-\x1f]{1,1000}")


def read_images(place: str, data: bytes) -> dict[str, str]:
    """Read ``[{"name": "<container>", "imageUri": "<image>"}]``; return container to image."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _problem(place, f"not JSON: {error}") from error
    if not isinstance(document, list):
        raise _problem(place, 'a list is wanted: [{"name": "<container>", "imageUri": "<image>"}]')
    images: dict[str, str] = {}
    for index, entry in enumerate(document):
        name, image = (
            (entry.get("name"), entry.get("imageUri")) if isinstance(entry, dict) else (None, None)
        )
        if not isinstance(name, str) or not name:
            raise _problem(f"{place}[{index}].name", "the name of a container is wanted")
        if not isinstance(image, str) or not _IMAGE.fullmatch(image):
            raise _problem(
                f"{place}[{index}].imageUri",
                f"the image of container {name} is wanted, without spaces",
            )
        if name in images:
            raise _problem(f"{place}[{index}].name", f'"{name}" stands there twice')
        images[name] = image
    return images


def with_images(
    manifests: Iterable[Manifest], images: Mapping[str, str], place: str
) -> list[Manifest]:
    """Return the manifests with these containers' images; every name must match at least one."""
    # YAML's aliases share their parts: a change of one would show in all of them.
    changed = [copied(manifest) for manifest in manifests]
    met: set[str] = set()
    known: set[str] = set()
    for manifest in changed:
        for container in _containers(manifest):
            name = str(container.get("name"))
            known.add(name)
            if name in images:
                container["image"] = images[name]
                met.add(name)
    for name in images:
        if name not in met:
            names = ", ".join(sorted(known)) or "none"
            raise _problem(
                place, f'no manifest has a container "{name}"; the containers are: {names}'
            )
    return changed


def _containers(manifest: Manifest) -> Iterator[dict[str, Any]]:
    paths = [("spec",)] if (manifest.api_version, manifest.kind) == ("v1", "Pod") else _TEMPLATES
    for path in paths:
        node: Any = manifest.body
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        for key in ("initContainers", "containers"):
            found = node.get(key) if isinstance(node, dict) else None
            yield from (
                item
                for item in (found if isinstance(found, list) else [])
                if isinstance(item, dict)
            )


def _problem(place: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{place}: {why}")
