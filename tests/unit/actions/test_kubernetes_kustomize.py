"""What is built, what is refused before it is, and how the program is run;
the real one is met in e2e.
"""

import os
from pathlib import Path

import pytest

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.manifests import kustomize
from penstock.actions.kubernetes.manifests.files import read_manifests
from penstock.actions.kubernetes.manifests.kustomizations import check
from penstock.actions.kubernetes.manifests.rendering import render
from tests.unit.actions.kubernetes_jobs import CONFIG_MAP, job_for

REFUSED = "is not in the artifact; remote bases and files are refused"


def artifact(tmp_path: Path, files: dict[str, str]) -> Path:
    """Return the folder of an artifact that holds these files."""
    return job_for(tmp_path, files).inputs["Build"]


def refusal(folder: Path, path: str = "app") -> str:
    with pytest.raises(ActionError) as caught:
        check(folder, path)
    assert caught.value.code == "ConfigurationError"
    return caught.value.message


@pytest.mark.parametrize(
    ("wanted", "built"),
    [
        ("app", ["app"]),
        ("app/overlays/*", ["app/overlays/dev", "app/overlays/prod"]),
        (".", ["."]),
        ("", ["."]),
    ],
)
def test_folder_that_is_named_is_built_and_not_read(
    tmp_path: Path, wanted: str, built: list[str]
) -> None:
    files = {
        f"{path}/kustomization.yaml": "{}"
        for path in (".", "app", "app/overlays/dev", "app/overlays/prod")
    }
    folder, asked = artifact(tmp_path, {**files, "app/extra.yaml": "not: an object"}), []

    def build(path: str) -> bytes:
        asked.append(path)
        return CONFIG_MAP.encode()

    manifests, _ = read_manifests(folder, wanted, build)
    assert (asked, {item.place.rpartition(",")[0] for item in manifests}) == (built, set(built))


def test_kustomization_below_a_named_folder_says_what_to_name(tmp_path: Path) -> None:
    folder = artifact(tmp_path, {"k8s/base/kustomization.yml": "", "k8s/a.yaml": CONFIG_MAP})
    with pytest.raises(ActionError) as caught:
        read_manifests(folder, "k8s", lambda _: b"")
    assert caught.value.message == (
        "k8s/base/kustomization.yml: to build this kustomization, name its folder in "
        'ManifestFiles: "k8s/base"'
    )


REMOTE = "https://example.com/base.yaml"


@pytest.mark.parametrize(
    "text",
    [
        f"resources: [{REMOTE}]",
        "resources: ['git::https://example.com/x.git']",
        "bases: ['github.com/owner/repo//base?ref=v1']",
        "components: ['git@example.com:owner/repo.git']",
        "resources: [HTTP://example.com/x]",
        "resources: [../../../etc]",
        "resources: [/etc/hostname]",
        "resources: [none.yaml]",
        "resources: [link.yaml]",
        f"crds: [{REMOTE}]",
        f"patches: [{{path: '{REMOTE}'}}]",
        f"patchesJson6902: [{{path: '{REMOTE}'}}]",
        f"replacements: [{{path: '{REMOTE}'}}]",
        f"configMapGenerator: [{{name: x, files: ['a={REMOTE}']}}]",
        f"secretGenerator: [{{name: x, envs: ['{REMOTE}']}}]",
        f"secretGenerator: [{{name: x, env: '{REMOTE}'}}]",
        f"openapi: {{path: '{REMOTE}'}}",
        f"generators: [\"kind: ConfigMapGenerator\\nfiles: ['{REMOTE}']\\n\"]",
        "generators: [plugin.yaml]",
        "resources: [deeper]",
    ],
)
def test_what_is_not_in_the_artifact_is_refused_wherever_it_is_named(
    tmp_path: Path, text: str
) -> None:
    """GHSA-style: a remote base would run in the pod, under the deployer's account."""
    folder = artifact(tmp_path, {
        "app/kustomization.yaml": text,
        "app/plugin.yaml": f"kind: ConfigMapGenerator\n---\nfiles: [x={REMOTE}]\n",
        "app/deeper/Kustomization": f"resources: [{REMOTE}]",
        "app/https:/example.com/base.yaml": CONFIG_MAP,
    })  # fmt: skip
    (folder / "app/link.yaml").symlink_to("/etc/hostname")
    assert refusal(folder).endswith(REFUSED)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("helmCharts: [{name: x}]", "app/kustomization.yaml: helmCharts: Helm charts are not "
                                    "built; "),
        ("a: [", "app/kustomization.yaml: not YAML: "),
        ("- 1", "app/kustomization.yaml: a kustomization is one mapping"),
        ("resources: [empty]", "app/empty: 0 of kustomization.yaml, "),
    ],
)  # fmt: skip
def test_kustomization_that_cannot_be_built_names_the_place(
    tmp_path: Path, text: str, why: str
) -> None:
    folder = artifact(tmp_path, {"app/kustomization.yaml": text, "app/empty/a.txt": ""})
    assert refusal(folder).startswith(why)


GOOD = """
resources: [../base, a.yaml]
patches: [{path: a.yaml}]
commonAnnotations: {see: 'https://example.com'}
configMapGenerator: [{name: x, files: [a.yaml, b=a.yaml]}]
patchesStrategicMerge: ["kind: X\\nname: https://example.com\\n"]
"""


def test_bases_may_stand_anywhere_in_the_artifact(tmp_path: Path) -> None:
    files = {
        "app/kustomization.yaml": GOOD,
        "base/kustomization.yaml": "components: [../app]",
        "app/a.yaml": CONFIG_MAP,
    }
    check(artifact(tmp_path, files), "app")


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program called kustomize into the PATH."""
    program = tmp_path / "bin/kustomize"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def built(tmp_path: Path, timeout_s: float = 20) -> str:
    """Render a kustomization; return the places of what was made of it, or
    the failure's message.
    """
    try:
        return render(
            job_for(tmp_path, {"kustomization.yaml": "resources: []"}, timeout_s=timeout_s)
        )[0].place
    except ActionError as error:
        return error.message


def test_program_gets_no_credential_and_no_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    fake(tmp_path, monkeypatch, f"/usr/bin/env > {tmp_path}/seen; exit 1")
    built(tmp_path)
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert "canary" not in seen.values()
    assert seen.keys() - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        "HOME", "PATH", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'Error: accumulating resources' >&2; exit 1",
            ".: kustomize: accumulating resources",
        ),
        ("/bin/sleep 20", ".: kustomize did not end within 1 s"),
        ("/usr/bin/yes", ".: kustomize made more than 1048576 bytes"),
    ],
)
def test_program_that_fails_hangs_or_talks_without_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setattr(kustomize, "_TIMEOUT_S", 1.0 if "sleep" in script else 10.0)
    monkeypatch.setattr(kustomize, "_OUTPUT_BYTES", 1024 * 1024)
    fake(tmp_path, monkeypatch, f"exec {script}" if script.startswith("/") else script)
    assert built(tmp_path) == message


def test_image_without_the_program_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (
        built(tmp_path)
        == ".: the image has no kustomize to build it with; build it in an action before"
    )


def bomb(levels: int) -> str:
    """Return YAML that is ten times larger with each level, once its aliases are written out."""
    lines = [
        "a0: &a0 [x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)),
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("levels", [6, 9, 60])
@pytest.mark.parametrize("key", ["generators: [plugin.yaml]", "resources: []"])
def test_weak_kustomization_of_aliases_costs_what_it_is_written_out(
    tmp_path: Path, key: str, levels: int
) -> None:
    files = {"app/kustomization.yaml": key, "app/plugin.yaml": bomb(levels)}
    if "plugin" not in key:
        files["app/kustomization.yaml"] = f"{key}\n{bomb(levels)}"
    assert "the document has more than 20000 nodes" in refusal(artifact(tmp_path, files))


@pytest.mark.parametrize(
    "name",
    [
        '"a\\0b"',
        "a" * 5000,
        '"\\uFFFE"',
        "~user",
        "a/" * 3000,
        '"\\n"',
        "loop",
        "../" * 40 + "etc/passwd",
    ],
)
def test_attack_07_name_that_no_file_can_have_is_refused_like_any_other(
    tmp_path: Path, name: str
) -> None:
    folder = artifact(
        tmp_path,
        {"app/kustomization.yaml": f"crds: [x.yaml]\nresources: [{name}]\n", "app/x.yaml": ""},
    )
    (folder / "app/loop").symlink_to("loop")
    with pytest.raises(ActionError):
        check(folder, "app")


@pytest.mark.parametrize("name", ["1_000", "0x10", "010", "yes", "1e3", "2020-01-01"])
def test_attack_07_base_whose_name_looks_like_no_text_is_looked_at_too(
    tmp_path: Path, name: str
) -> None:
    files = {
        "kustomization.yaml": f"resources: [{name}]",
        f"{name}/kustomization.yaml": f"resources: [{REMOTE}]",
    }
    files = {f"app/{path}": text for path, text in files.items()}
    assert refusal(artifact(tmp_path, files)).endswith(REFUSED)


@pytest.mark.parametrize(
    "text",
    [f"resources: [{REMOTE}]\nresources: []", f"x: &x {{resources: [{REMOTE}]}}\n<<: "
                                              f"*x\nresources: []",
     f"resources: []\n<<: {{resources: [{REMOTE}]}}"],
)  # fmt: skip
def test_attack_07_kustomization_that_says_a_thing_twice_is_refused(
    tmp_path: Path, text: str
) -> None:
    """Which of the two counts, its readers do not agree about."""
    assert '"resources" stands in one mapping twice' in refusal(
        artifact(tmp_path, {"app/kustomization.yaml": text})
    )
