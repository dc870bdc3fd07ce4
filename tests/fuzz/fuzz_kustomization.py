"""Kustomizations: whatever one says, it is checked within bounds, or refused with
ConfigurationError.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from penstock.actions.execution import ActionError
from penstock.actions.kubernetes.manifests.kustomizations import check
from tests.fuzz.mutations import mutated

_GOOD = b"""resources: [../base, a.yaml, 1_000]
components: [../part]
patches: [{path: a.yaml, target: {kind: X}}]
configMapGenerator: [{name: x, files: [a.yaml, b=a.yaml], envs: [e.env]}]
generators: [plugin.yaml, "kind: X\\nfiles: [a.yaml]\\n"]
openapi: {path: a.yaml}
x: &x [a, b]
y: [*x, *x]
"""
_WORDS = [
    b"https://example.com/x",
    b"github.com/a/b",
    b"../",
    b"/",
    b"\\0",
    b"&a ",
    b"*a",
    b"*x, ",
    b"<<: *x",
    b"[",
    b"{",
    b"---\n",
    b"...\n",
    b"~",
    b"\t",
    b"!!binary aGk=",
    b"helmCharts: [{name: x}]\n",
    b"resources: [x]\n",
    b"a" * 300,
]


def one(source: random.Random) -> None:
    """Check one hostile kustomization; raise AssertionError with it if anything else comes out."""
    data = mutated(source, _GOOD, _WORDS)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in {
            "app/a.yaml": b"a: 1\n",
            "app/e.env": b"A=1\n",
            "app/1_000": b"",
            "app/plugin.yaml": data,
            "base/kustomization.yaml": data,
            "part/Kustomization": b"kind: Component\n",
        }.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(text)
        (root / "app/kustomization.yaml").write_bytes(data)
        try:
            check(root, "app")
        except ActionError as error:
            assert error.code == "ConfigurationError" and len(error.message) < 5000, data
        except Exception as error:
            raise AssertionError(f"{error!r}: {data!r}") from error
