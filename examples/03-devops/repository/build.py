"""Builds the site: pages/ becomes dist/, and dist/ with deploy/ becomes the manifests of its deployment."""

import json
import re
import sys
from pathlib import Path


def page(body: str, layout: str, commit: str) -> str:
    """Return a whole page; its title is its first heading."""
    title = re.search(r"<h1>(.*?)</h1>", body)
    values = {"TITLE": title.group(1) if title else "", "BODY": body.rstrip(), "COMMIT": commit}
    return re.sub("@([A-Z]+)@", lambda found: values[found.group(1)], layout)


def main(commit: str) -> None:
    """Write dist/ and manifests/."""
    layout = Path("pages/layout.txt").read_text()
    pages = {path.name: page(path.read_text(), layout, commit) for path in sorted(Path("pages").glob("*.html"))}
    for folder in ("dist", "manifests"):
        Path(folder).mkdir(exist_ok=True)
    for name, text in pages.items():
        Path("dist", name).write_text(text)
    site = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "site"}, "data": pages}
    Path("manifests/site.json").write_text(json.dumps(site, indent=1))
    web = Path("deploy/web.yaml").read_text()
    Path("manifests/web.yaml").write_text(web.replace("@COMMIT@", commit))
    print(f"built {len(pages)} pages from {commit}")


if __name__ == "__main__":
    main(sys.argv[1])
