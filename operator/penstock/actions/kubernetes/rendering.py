"""From input artifacts to manifests: read, then values and images of this run put into place."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, Job
from penstock.actions.kubernetes.images import read_images, with_images
from penstock.actions.kubernetes.kustomize import build
from penstock.actions.kubernetes.manifests import Manifest, in_order, read_manifests
from penstock.actions.kubernetes.substitutions import read_values, with_values

_FILE_BYTES = 1024 * 1024


def render(job: Job) -> list[Manifest]:
    """Return what is to be applied, in order. Manifests come from the first input artifact."""
    configuration = job.request.configuration
    folder = next(iter(job.inputs.values()))
    manifests, skipped = read_manifests(folder, configuration.get("ManifestFiles", ""), partial(build, job, folder))
    for place in skipped:
        job.log(f"passed over: {place} is no Kubernetes object")
    if name := configuration.get("Substitutions"):
        values = read_values(name, _read(job.inputs, "Substitutions", name))
        manifests = [with_values(manifest, values) for manifest in manifests]
    if name := configuration.get("ImageDefinitions"):
        images = read_images(name, _read(job.inputs, "ImageDefinitions", name))
        manifests = with_images(manifests, images, name)
    return in_order(manifests)


def _read(inputs: Mapping[str, Path], key: str, name: str) -> bytes:
    """Read ``file`` in the first input artifact, or ``Artifact::file`` (as in P-30)."""
    artifact, separator, path = name.partition("::")
    if not separator:
        artifact, path = next(iter(inputs)), name
    if artifact not in inputs:
        raise _problem(key, f'"{artifact}" is no input artifact of the action; it has {", ".join(inputs)}')
    folder = Path(os.path.realpath(inputs[artifact]))
    file = Path(os.path.realpath(folder / path))
    if not file.is_relative_to(folder) or not file.is_file():
        raise _problem(key, f'artifact {artifact} holds no file "{path}"')
    with file.open("rb") as opened:
        data = opened.read(_FILE_BYTES + 1)
    if len(data) > _FILE_BYTES:
        raise _problem(key, f'"{path}" in artifact {artifact} is larger than {_FILE_BYTES} bytes')
    return data


def _problem(key: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f"{key}: {why}")
