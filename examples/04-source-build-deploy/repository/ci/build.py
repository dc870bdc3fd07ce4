"""Builds the page, and the two files that tell the deploy which image and which values to put into the manifests."""

import html
import json
import os
from pathlib import Path

ENVIRONMENT, COMMIT = os.environ["ENVIRONMENT"], os.environ["CODEBUILD_RESOLVED_SOURCE_VERSION"]
REPLICAS = {"production": 2}.get(ENVIRONMENT, 1)


def main() -> None:
    """Write out/."""
    quotes = [html.escape(line) for line in Path("site/quotes.txt").read_text().splitlines() if line]
    items = "".join(f"<li>{quote}</li>" for quote in quotes)
    page = f"<h1>{os.environ['TITLE']}</h1><p>{ENVIRONMENT}, commit {COMMIT}</p><ul>{items}</ul>"
    out = Path("out")
    out.mkdir(exist_ok=True)
    values = {"PAGE": page, "REPLICAS": REPLICAS, "COMMIT": COMMIT}
    (out / "values.json").write_text(json.dumps(values, indent=1))
    images = [{"name": "web", "imageUri": os.environ["SERVER_IMAGE"]}]
    (out / "imagedefinitions.json").write_text(json.dumps(images))
    print(f"built {len(quotes)} quotes for {ENVIRONMENT} from {COMMIT}")


if __name__ == "__main__":
    main()
