"""``make demo``: from nothing to a deployed page, each step explained as it happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster import Cluster, load
from tests.e2e.install import (
    BUCKET,
    ROOT,
    files_below,
    install_chart,
    make_bucket,
    make_store_secret,
    push_repository,
)
from tests.e2e.kube import Kube, eventually

NAMESPACE = "default"
PAGE = "/api/v1/namespaces/web-production/services/web:http/proxy/"


def main() -> int:
    """Show the example 02-web; return the exit code of the run."""
    started = time.monotonic()
    cluster = load()
    kube = Kube(cluster.kubeconfig)
    say("Installing Penstock", f"helm upgrade --install penstock charts/penstock (image {cluster.image})")
    make_bucket(cluster)
    install_chart(cluster, kube)
    make_store_secret(cluster, kube, NAMESPACE)
    example = ROOT / "examples" / "02-web"
    repository = push_repository(cluster, "examples/web", files_below(example / "repository"))
    say("Pushed the web application", f"{repository.url} is at {repository.commit[:10]}")
    kube.apply((example / "pipeline.yaml").read_text(), "")
    eventually(lambda: is_ready(kube), 30, "pipeline web ready")
    say("Applied examples/02-web/pipeline.yaml", "Source -> Build -> Deploy")
    say("Starting a run", "penstock start web --watch")
    code, run = start_and_watch(cluster)
    if code:
        return code
    page = eventually(lambda: page_of(kube, repository.commit), 30, "the page of this commit served")
    say("The deployed Service answers", text_of(page))
    show_artifacts(cluster, run)
    closing(cluster, run)
    say("Done", f"after {time.monotonic() - started:.0f} s")
    return 0


def is_ready(kube: Kube) -> bool:
    """Whether the operator found the definition valid."""
    conditions = kube.get("pipelines", NAMESPACE, "web").get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def start_and_watch(cluster: Cluster) -> tuple[int, str]:
    """Start a run as a user would; return the exit code that tells its end, and the run's name."""
    started = subprocess.run(
        penstock("start", "web"), env=environment(cluster), capture_output=True, text=True, timeout=60, check=False
    )
    if started.returncode:
        sys.stderr.write(started.stderr)
        return started.returncode, ""
    run = started.stdout.strip()
    watched = subprocess.run(
        penstock("watch", run, "--timeout", "120"), env=environment(cluster), timeout=150, check=False
    )
    return watched.returncode, run


def show_artifacts(cluster: Cluster, run: str) -> None:
    """Show what the run made, with sizes and checksums."""
    say("What the run used and made", f"penstock describe {run}; the artifacts lie in the bucket {BUCKET}")
    subprocess.run(penstock("describe", run), env=environment(cluster), timeout=60, check=False)


def penstock(*arguments: str) -> list[str]:
    """Return the command line of the penstock command."""
    return [sys.executable, "-m", "penstock.cli", *arguments]


def environment(cluster: Cluster) -> dict[str, str]:
    """Return an environment in which the commands find the cluster."""
    return {**os.environ, "KUBECONFIG": cluster.kubeconfig}


def page_of(kube: Kube, commit: str) -> str:
    """Return the page that the Service serves, once it is the one of this commit."""
    try:
        page = kube.raw(PAGE)
    except Exception:  # the Service has no endpoint yet
        return ""
    return page if commit in page else ""


def text_of(page: str) -> str:
    """Return what a person reads of the page."""
    return " / ".join(" ".join(part.split()) for part in re.findall(r"<(?:h1|p)>(.*?)</", page, re.DOTALL))


def closing(cluster: Cluster, run: str) -> None:
    """Tell how to look further, and how to clean up."""
    say(
        "Look further",
        'eval "$(python3 -m tests.cluster env)"   # KUBECONFIG, and kubectl and helm on the PATH',
        "kubectl get pipelines,pipelineruns",
        f"{Path('.venv/bin/penstock')} logs {run}",
        f"kubectl get pipelinerun {run} -o yaml",
        f"kubectl get --raw {PAGE}",
        "make cluster-down                        # stops the cluster and removes all of it",
    )


def say(title: str, *lines: str) -> None:
    """Print a step."""
    sys.stdout.write(f"\n==> {title}\n" + "".join(f"    {line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
