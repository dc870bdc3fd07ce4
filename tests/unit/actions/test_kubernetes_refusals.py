"""Bugs 09 and 10: the reason stands first, and the advice fits the case."""

from pathlib import Path

import pytest

from tests.unit.actions.api_server import ApiServer
from tests.unit.actions.kubernetes_jobs import CONFIG_MAP, failure, job_for

MODIFIED = 'Operation cannot be fulfilled on configmaps "settings": the object has been modified'
FIELDS = (
    "; remove {} from the manifest: it was exported from a cluster, and asks for the object as it "
    "was then"
)
OWNED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, {}}}\n"


@pytest.mark.parametrize(
    ("metadata", "status", "text", "advice"),
    [
        ("resourceVersion: '7'", 409, MODIFIED, FIELDS.format("metadata.resourceVersion")),
        (
            "resourceVersion: '7', uid: u, generation: 3, creationTimestamp: 2020-01-01T00:00:00Z, "
            "selfLink: /x",
            409,
            MODIFIED,
            FIELDS.format(
                "metadata.resourceVersion, metadata.uid, metadata.creationTimestamp, "
                "metadata.generation, metadata.selfLink"
            ),
        ),
        (
            "uid: u",
            409,
            "Precondition failed: UID in precondition: u",
            FIELDS.format("metadata.uid"),
        ),
        (
            "labels: {}",
            409,
            MODIFIED,
            "; the object was changed at the same time; run the deploy again",
        ),
        (
            "labels: {}",
            409,
            'Apply failed with 1 conflict: conflict with "kubectl": .data.a',
            '; set ForceConflicts to "true" to take these fields over',
        ),
        (
            "labels: {}",
            409,
            "object is being deleted: x exists",
            "; deploy again when the object is gone",
        ),
        (
            "managedFields: [{manager: x}]",
            400,
            "metadata.managedFields must be nil",
            "; remove metadata.managedFields from the manifest",
        ),
        (
            "labels: {}",
            422,
            "data: field is immutable",
            "; deploy it under another name, or delete the object first",
        ),
        ("resourceVersion: '7'", 422, "data: wrong", ""),
    ],
)
def test_bug_10_advice_fits_the_refusal(
    api: ApiServer, tmp_path: Path, metadata: str, status: int, text: str, advice: str
) -> None:
    api.refusals["settings"] = (status, "Refused", text)
    _, message = failure(
        job_for(tmp_path, {"a.yaml": OWNED.format(metadata)}, ForceConflicts="true")
    )
    assert message == f"a.yaml, document 1: ConfigMap settings: {text}{advice}"


def test_bug_09_reason_stands_before_what_the_server_repeats(
    api: ApiServer, tmp_path: Path
) -> None:
    dump = "core.PodTemplateSpec{" + "Name:x, " * 500 + "}"
    api.causes = [
        {"field": "spec.template", "message": f"Invalid value: {dump}: field is immutable"},
        {"field": "spec.selector", "message": 'Invalid value: "a": field is immutable'},
    ]
    text = (
        f'Job.batch "settings" is invalid: spec.template: Invalid value: {dump}: field is immutable'
    )
    api.refusals["settings"] = (422, "Invalid", text)
    _, message = failure(job_for(tmp_path, {"a.yaml": CONFIG_MAP}))
    assert message == (
        'a.yaml, document 1: ConfigMap settings: Job.batch "settings" is invalid: spec.template: '
        "field is immutable; "
        'spec.selector: Invalid value: "a": field is immutable; '
        "deploy it under another name, or delete the object first"
    )
