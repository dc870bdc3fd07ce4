"""From input artifacts to manifests: read, then values and images of this run put into place."""

from functools import partial

from penstock.actions import artifact_files
from penstock.actions.execution import Job
from penstock.actions.kubernetes.manifests.files import Manifest, in_order, read_manifests
from penstock.actions.kubernetes.manifests.images import read_images, with_images
from penstock.actions.kubernetes.manifests.kustomize import build
from penstock.actions.kubernetes.manifests.substitutions import read_values, with_values

# A file with placeholders is read and written whole.
_FILE_BYTES = 1024 * 1024


def render(job: Job) -> list[Manifest]:
    """Return what is to be applied, in order. Manifests come from the first input artifact."""
    configuration = job.request.configuration
    folder = next(iter(job.inputs.values()))
    manifests, skipped = read_manifests(
        folder, configuration.get("ManifestFiles", ""), partial(build, job, folder)
    )
    for place in skipped:
        job.log(f"passed over: {place} is no Kubernetes object")
    if name := configuration.get("Substitutions"):
        values = read_values(
            name, artifact_files.read(job.inputs, "Substitutions", name, _FILE_BYTES)
        )
        manifests = [with_values(manifest, values) for manifest in manifests]
    if name := configuration.get("ImageDefinitions"):
        images = read_images(
            name, artifact_files.read(job.inputs, "ImageDefinitions", name, _FILE_BYTES)
        )
        manifests = with_images(manifests, images, name)
    return in_order(manifests)
