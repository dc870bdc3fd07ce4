"""What each component of the node is told: its command line and its configuration files.

Everything that decides how fast Jobs start, end and are counted stays at upstream's default,
because the benchmark compares Penstock with bare Jobs.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cluster import pki
from tests.cluster.binaries import COREDNS, ETCD, HYPERKUBE
from tests.cluster.places import Places
from tests.cluster.shell import Command, write

PAUSE_IMAGE = "localhost/penstock-pause:dev"
POD_RANGE = "10.244.0.0/16"
_ISSUER = "https://kubernetes.default.svc"


def etcd(places: Places) -> Command:
    """Return etcd's command; nobody needs its data after a power cut, so it may skip fsync."""
    return [
        ETCD.path(places),
        f"--data-dir={places.state}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]


def containerd(places: Places) -> Command:
    """Write containerd's configuration and return its command."""
    config = f"""\
version = 2
root = "{places.state}/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "{places.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE a score below our own cannot be set, and every sandbox would fail.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{places.state}/node/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
    file = write(places.state / "node/containerd.toml", config)
    write(places.state / "node/cni/10-penstock.conflist", json.dumps(_network(), indent=1))
    return ["containerd", "--config", file]


def _network() -> dict[str, Any]:
    """Return the pods' network: a routed veth pair each.

    No bridge, since Services between pods on one bridge need br_netfilter,
    which not every kernel has.
    """
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "penstock",
        "plugins": [
            {"type": "ptp", "ipMasq": True, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def apiserver(places: Places) -> Command:
    """Write the audit policy and return the API server's command."""
    keys = pki.folder(places)
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "userGroups": ["system:serviceaccounts:penstock-system"]},
            {"level": "None"},
        ],
    }
    audit = write(places.state / "node/audit-policy.json", json.dumps(policy, indent=1))
    return [
        HYPERKUBE.path(places),
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={places.node_ip}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={pki.SERVICE_RANGE}",
        f"--client-ca-file={keys}/ca.crt",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--service-account-issuer={_ISSUER}",
        f"--api-audiences={_ISSUER}",
        f"--service-account-key-file={keys}/service-accounts.pub",
        f"--service-account-signing-key-file={keys}/service-accounts.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={audit}",
        f"--audit-log-path={places.audit_log}",
        "--audit-log-format=json",
        # MB: a rotation would take lines from under a benchmark that counts them.
        "--audit-log-maxsize=10000",
        "--profiling=false",
    ]


def controller_manager(places: Places) -> Command:
    """Return the controller manager's command; all controllers keep upstream's settings."""
    keys = pki.folder(places)
    return [
        HYPERKUBE.path(places),
        "kube-controller-manager",
        f"--kubeconfig={keys}/controller-manager.kubeconfig",
        f"--service-account-private-key-file={keys}/service-accounts.key",
        f"--root-ca-file={keys}/ca.crt",
        f"--cluster-signing-cert-file={keys}/ca.crt",
        f"--cluster-signing-key-file={keys}/ca.key",
        "--use-service-account-credentials=true",
        "--enable-hostpath-provisioner=true",
        "--leader-elect=false",
        "--profiling=false",
    ]


def scheduler(places: Places) -> Command:
    """Return the scheduler's command."""
    kubeconfig = pki.folder(places) / "scheduler.kubeconfig"
    return [
        HYPERKUBE.path(places),
        "kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--profiling=false",
    ]


def _kubelet_config(places: Places) -> dict[str, Any]:
    """Return the kubelet's configuration."""
    keys = pki.folder(places)
    # The host's resolvers are out of reach from inside; pods that ask for them get the cluster's.
    resolvers = write(places.state / "node/resolv.conf", f"nameserver {places.node_ip}\n")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{keys}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{keys}/kubelet-serving.crt",
        "tlsPrivateKeyFile": f"{keys}/kubelet-serving.key",
        "containerRuntimeEndpoint": f"unix://{places.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{places.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDomain": "cluster.local",
        "clusterDNS": [places.node_ip],
        "resolvConf": str(resolvers),
        "maxPods": 250,
        # A workspace that outgrows its limit is noticed by the next look at volumes; a minute is
        # long in a test.
        "volumeStatsAggPeriod": "10s",
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        # A full disk on the developer's machine is no reason to evict pods or to drop imported
        # images.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "imagefs.available": "0%",
        },
        "imageGCHighThresholdPercent": 100,
    }


def kubelet(places: Places) -> Command:
    """Write the kubelet's configuration and return its command."""
    keys = pki.folder(places)
    file = write(places.state / "node/kubelet.json", json.dumps(_kubelet_config(places), indent=1))
    return [
        HYPERKUBE.path(places),
        "kubelet",
        f"--config={file}",
        f"--kubeconfig={keys}/kubelet.kubeconfig",
        f"--hostname-override={pki.NODE_NAME}",
        f"--node-ip={places.node_ip}",
        f"--root-dir={places.state}/kubelet",
        f"--cert-dir={places.state}/kubelet/pki",
    ]


def proxy(places: Places) -> Command:
    """Return kube-proxy's command; conntrack's limits belong to the host and stay as they are."""
    kubeconfig = pki.folder(places) / "proxy.kubeconfig"
    return [
        HYPERKUBE.path(places),
        "kube-proxy",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={pki.NODE_NAME}",
        f"--cluster-cidr={POD_RANGE}",
        "--proxy-mode=iptables",
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--oom-score-adj=0",
    ]


def dns(places: Places) -> Command:
    """Write CoreDNS's configuration and return its command.

    It runs beside the kubelet, not in a pod: no image, no Service, and up
    before the first pod asks.
    """
    kubeconfig = pki.folder(places) / "dns.kubeconfig"
    corefile = f"""\
.:53 {{
    bind {places.node_ip}
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    cache 5
    # There is no internet here; a quick "no such name" beats a resolver's retries.
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
    return [COREDNS.path(places), "-conf", write(places.state / "node/Corefile", corefile)]
