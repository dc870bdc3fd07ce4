"""``make demo``: the founding story, from a push to a tested deployment, each
step explained as it happens.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import Cluster, load
from tests.support.install import (
    ROOT,
    TRIGGERS,
    files_below,
    install_chart,
    make_bucket,
    make_store_secret,
    push_repository,
)
from tests.support.kube import Kube, eventually, served

NAMESPACE = "bakery"
"""The demo's own, as the example's manifests say it."""
PIPELINE = "bakery"
EXAMPLE = ROOT / "examples" / "03-devops"
EXAMPLE_LABEL = "penstock.dev/example"
PAGE = "/api/v1/namespaces/bakery-production/services/web:http/proxy/"
FRONT = "pages/index.html"
SUCCEEDED, FAILED = 0, 1


@dataclass(frozen=True)
class Step:
    """A push of the story: what is changed on the front page, how its run
    must end, and what must then be true.
    """

    title: str
    old: str
    new: str
    code: int
    summary: str = ""


STORY = (
    Step(
        "A developer pushes a fix to the index page",
        "every morning",
        "every morning at six",
        SUCCEEDED,
    ),
    Step(
        "A pushed commit that breaks a unit test: nothing is deployed",
        "bread",
        "cake",
        FAILED,
        "test_front_page_says_what_we_sell",
    ),
    Step(
        "A pushed commit with a broken link: the integration test names it",
        '<a href="about.html">',
        '<a href="abuot.html">',
        FAILED,
        "abuot.html",
    ),
)


class StoryError(Exception):
    """The story did not go as it must; the message says where."""


def require(condition: bool, message: str) -> None:
    """Raise StoryError unless the condition holds."""
    if not condition:
        raise StoryError(message)


def require_own(kube: Kube, namespace: str, example: str) -> None:
    """Raise StoryError where a namespace of that name is there that no demo
    made: it is left alone.
    """
    found = kube.find("namespaces", None, namespace)
    if found is None:
        return
    labels = found["metadata"].get("labels", {})
    told = (
        f"namespace {namespace} is there and was not made by this demo (no label "
        f"{EXAMPLE_LABEL}={example})"
    )
    require(
        labels.get(EXAMPLE_LABEL) == example,
        f"{told}: it is left alone; delete it, or use another cluster",
    )


def make_namespace(kube: Kube, namespace: str, example: str) -> None:
    """Make the namespace that a demo works in, or take the one that a demo made."""
    require_own(kube, namespace, example)
    labels = {EXAMPLE_LABEL: example}
    kube.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace, "labels": labels},
            }
        ],
        "",
    )


class Demo:
    """The story on a cluster. Each step ends within its limit, or the demo fails and says where."""

    def __init__(self, cluster: Cluster, kube: Kube) -> None:
        self.cluster, self.kube = cluster, kube
        self.files = files_below(EXAMPLE / "repository")
        self.seen = {run["metadata"]["name"] for run in kube.objects("pipelineruns", NAMESPACE)}

    def tell(self) -> None:
        """Tell the whole story; raise StoryError where it does not go as it must."""
        make_bucket(self.cluster)
        make_namespace(self.kube, NAMESPACE, EXAMPLE.name)
        require_own(self.kube, f"{NAMESPACE}-production", EXAMPLE.name)
        make_store_secret(self.cluster, self.kube, NAMESPACE)
        commit = self.push("The bakery's site", "The bakery's site")
        # Of an earlier demo, in a namespace that a demo made.
        self.kube.kubectl("delete", "pipeline", PIPELINE, "--ignore-not-found", "-n", NAMESPACE)
        self.kube.apply((EXAMPLE / "pipeline.yaml").read_text(), "")
        say(
            "Applied examples/03-devops/pipeline.yaml",
            "its creation starts the first run, as in CodePipeline",
        )
        run = self.watch(SUCCEEDED)
        self.show_page(commit)
        say(
            "What the run used and made, and what its tests say",
            f"penstock describe {run}; penstock reports {run}",
        )
        self.penstock("describe", run)
        self.penstock("reports", run)
        for step in STORY:
            commit = self.take(step, commit)

    def take(self, step: Step, served: str) -> str:
        """Push a change, wait for the run that it starts; return the commit that is served now."""
        page = self.files[FRONT]
        self.files[FRONT] = page.replace(step.old, step.new)
        require(self.files[FRONT] != page, f"{FRONT} does not say {step.old!r}")
        commit = self.push(step.title, f"{step.old} -> {step.new}")
        run = self.new_run()
        sys.stdout.write(f"    {run} was started by the push\n")
        self.watch(step.code, run)
        status = self.kube.get("pipelineruns", NAMESPACE, run)["status"]
        require(
            step.summary in status["statusSummary"],
            f"{status['statusSummary']!r} does not say {step.summary!r}",
        )
        if step.code == FAILED:
            self.files[FRONT] = page
        deployed = any(
            a["actionName"] == "Deploy" for s in status["stageStates"] for a in s["actionStates"]
        )
        now = commit if deployed else served
        self.show_page(now)
        return now

    def push(self, title: str, change: str) -> str:
        """Push the files as they are now; return the commit."""
        repository = push_repository(self.cluster, "examples/bakery", self.files, message=change)
        say(title, f"{repository.url} is at {repository.commit[:10]}: {change}")
        return repository.commit

    def new_run(self) -> str:
        """Wait for the run that nobody here has started; return its name."""

        def found() -> str | None:
            runs = [run["metadata"]["name"] for run in self.kube.objects("pipelineruns", NAMESPACE)]
            return next(
                (name for name in runs if name.startswith(PIPELINE) and name not in self.seen), None
            )

        name: str = eventually(found, 30, "a run that the push started")
        self.seen.add(name)
        return name

    def watch(self, code: int, run: str = "") -> str:
        """Show a run stage by stage as a user would; return its name. It must end as expected."""
        run = run or self.new_run()
        ended = self.penstock("watch", run, "--timeout", "120")
        require(ended == code, f"penstock watch {run} ended with {ended}, not {code}")
        return run

    def show_page(self, commit: str) -> None:
        """Show what the Service serves, once it is the page of this commit."""
        page = eventually(
            lambda: served(self.kube, PAGE, commit), 30, f"the page of commit {commit[:10]} served"
        )
        say(f"The deployed site answers, from commit {commit[:10]}", text_of(page))

    def penstock(self, *arguments: str) -> int:
        """Run the penstock command as a user would; return its exit code."""
        command = [sys.executable, "-m", "penstock.cli", "-n", NAMESPACE, *arguments]
        environment = {**os.environ, "KUBECONFIG": self.cluster.kubeconfig}
        return subprocess.run(command, env=environment, timeout=150, check=False).returncode

    def closing(self, seconds: float) -> None:
        """Tell how to look further, and how to clean up."""
        command = Path(".venv/bin/penstock")
        say(
            f"Done after {seconds:.0f} s. Look further",
            'eval "$(python3 -m tests.cluster env)"   # KUBECONFIG, and kubectl and helm on the '
            "PATH",
            f"kubectl get pipelines,pipelineruns -n {NAMESPACE}",
            f"{command} -n {NAMESPACE} runs {PIPELINE}; {command} -n {NAMESPACE} logs RUN",
            f"kubectl get --raw {PAGE}",
            f"git clone {self.cluster.git.url}/examples/bakery.git   # push to it: a run starts",
            "make cluster-down                        # stops the cluster and removes all of it",
        )


def text_of(page: str) -> str:
    """Return what a person reads of the page."""
    parts = re.findall(r"<(h1|p|footer)>(.*?)</\1>", page, re.DOTALL)
    return " / ".join(" ".join(re.sub("<.*?>", "", text).split()) for _, text in parts)


def say(title: str, *lines: str) -> None:
    """Print a step."""
    sys.stdout.write(f"\n==> {title}\n" + "".join(f"    {line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Install Penstock and tell the story; return 0 if it went as it must."""
    started = time.monotonic()
    cluster = load()
    kube = Kube(cluster.kubeconfig)
    say(
        "Installing Penstock",
        f"helm upgrade --install penstock charts/penstock (image {cluster.image})",
    )
    install_chart(cluster, kube, {"triggers": TRIGGERS})
    demo = Demo(cluster, kube)
    try:
        demo.tell()
    except StoryError as error:
        say("The demo failed", str(error))
        return 1
    demo.closing(time.monotonic() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
