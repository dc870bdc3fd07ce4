"""The command line: up, down, status, env, image, build."""

from __future__ import annotations

import argparse
import shlex
import sys

from tests.cluster import given, kind, load, local
from tests.cluster.binaries import HYPERKUBE, LOCAL, ensure, link_tools
from tests.cluster.images import PENSTOCK
from tests.cluster.images import ensure as ensure_image
from tests.cluster.places import Places
from tests.cluster.shell import ClusterError, locked, say

_HELP = {
    "up": "start a cluster, or return at once if it runs",
    "aws": "add the AWS servers and the Git host, which `make sam` and the tests need",
    "down": "end it and leave nothing running",
    "status": "say how it is; exit code 1 unless it is healthy",
    "env": "print lines for eval: KUBECONFIG and PATH",
    "image": "build the operator's image and give it to the cluster",
    "build": "only build the binaries and images",
    "kubectl": "only build the binary that kubectl is in; no root needed",
}


def main() -> int:
    """Run one command; what a person can mend is one line, not a traceback."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in _HELP.items():
        commands.add_parser(name, help=text)
    command = parser.parse_args().command
    try:
        return _run(command, Places.of_this_checkout())
    except (ClusterError, FileNotFoundError, PermissionError) as error:
        say(f"error: {error}")
    except KeyboardInterrupt:
        say("interrupted; `python3 -m tests.cluster down` cleans up")
    return 1


def _run(command: str, places: Places) -> int:
    """Choose what kind of cluster is meant, and do it."""
    if command == "env":
        cluster = load()
        print(f"export KUBECONFIG={shlex.quote(cluster.kubeconfig)}")
        print(f"export PATH={shlex.quote(cluster.bin_dir)}:$PATH")
        return 0
    if command == "build":
        local.build(places)
        ensure_image(places, PENSTOCK)
        return 0
    if command == "kubectl":
        ensure(places, (HYPERKUBE,))
        return 0
    driver = given if given.wanted(places) else kind if kind.wanted(places) else local
    if driver is given and command != "status" and (refused := given.refusal(places)):
        raise ClusterError(refused)
    if command == "status":
        found = driver.problems(places)
        say("\n".join(found) or f"healthy: {places.cluster_json}")
        return 1 if found else 0
    if driver is not local:
        ensure(places, LOCAL)
        link_tools(places)
    with locked(places.state / "lock"):
        {"up": driver.up, "aws": driver.aws, "down": driver.down, "image": driver.image}[command](
            places
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
