"""Keys, certificates and kubeconfigs; made once per state directory, so that
kubeconfigs outlive restarts.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.cluster.places import Places
from tests.cluster.shell import Command, run, write

SERVICE_RANGE = "10.96.0.0/16"
_SERVICE_IP = "10.96.0.1"  # the first address of the range: the Service `kubernetes`
NODE_NAME = "penstock"

# Kubeconfig -> the subject it acts as.
_USERS = {
    "admin": "/O=system:masters/CN=penstock-admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "dns": "/CN=penstock:dns",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
}
_CONFIG = "[req]\ndistinguished_name = dn\n[dn]\n"
_EC: Command = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "3650",
]


def folder(places: Places) -> Path:
    """Return the folder with keys and certificates."""
    return places.state / "pki"


def ensure(places: Places) -> None:
    """Make all keys and certificates, unless a complete set for this node is there."""
    pki = folder(places)
    done = pki / "done"
    if done.exists() and done.read_text() == places.node_ip:
        return
    pki.mkdir(parents=True, exist_ok=True)
    pki.chmod(0o700)
    write(pki / "openssl.cnf", _CONFIG)
    _authority(pki)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    names.append("kubernetes.default.svc.cluster.local")
    addresses = [_SERVICE_IP, "127.0.0.1", places.node_ip]
    _certificate(pki, "apiserver", "/CN=kube-apiserver", names, addresses)
    _certificate(pki, "kubelet-serving", f"/CN={NODE_NAME}", [NODE_NAME], [places.node_ip])
    _certificate(pki, "apiserver-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    for name, subject in _USERS.items():
        _certificate(pki, name, subject)
        _kubeconfig(pki, name, f"https://{places.node_ip}:6443")
    key = pki / "service-accounts.key"
    run(
        [
            "openssl",
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-out",
            key,
        ],
        limit=20,
    )
    run(["openssl", "pkey", "-in", key, "-pubout", "-out", pki / "service-accounts.pub"], limit=20)
    write(done, places.node_ip)


def _authority(pki: Path) -> None:
    """Make the one certificate authority of the cluster."""
    extensions: Command = [
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign",
    ]
    files: Command = [
        "-keyout",
        pki / "ca.key",
        "-out",
        pki / "ca.crt",
        "-config",
        pki / "openssl.cnf",
    ]
    run(
        ["openssl", "req", "-x509", *_EC, "-subj", "/CN=penstock-ca", *extensions, *files], limit=20
    )


def _certificate(
    pki: Path,
    name: str,
    subject: str,
    names: list[str] | None = None,
    addresses: list[str] | None = None,
) -> None:
    """Make a certificate good for both ends of a connection."""
    alternatives = [f"DNS:{host}" for host in names or []] + [
        f"IP:{address}" for address in addresses or []
    ]
    extensions: Command = [
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "keyUsage=critical,digitalSignature",
    ]
    extensions += ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
    if alternatives:
        extensions += ["-addext", f"subjectAltName={','.join(alternatives)}"]
    signer: Command = [
        "-CA",
        pki / "ca.crt",
        "-CAkey",
        pki / "ca.key",
        "-config",
        pki / "openssl.cnf",
    ]
    files: Command = ["-keyout", pki / f"{name}.key", "-out", pki / f"{name}.crt"]
    run(["openssl", "req", "-x509", *_EC, "-subj", subject, *extensions, *signer, *files], limit=20)


def _kubeconfig(pki: Path, name: str, server: str) -> None:
    """Write a kubeconfig with everything inside, as JSON, which is YAML too."""

    def embedded(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "penstock",
                "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": embedded(f"{name}.crt"),
                    "client-key-data": embedded(f"{name}.key"),
                },
            }
        ],
        "contexts": [{"name": "penstock", "context": {"cluster": "penstock", "user": name}}],
        "current-context": "penstock",
    }
    write(pki / f"{name}.kubeconfig", json.dumps(document, indent=1), mode=0o600)
