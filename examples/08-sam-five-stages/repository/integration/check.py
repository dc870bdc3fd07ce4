"""Runs what was built as Lambda would, with the role of the integration tests."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["CODEBUILD_SRC_DIR_BuildArtifact"], "src"))

from greeter import handler  # noqa: E402

assert os.environ["AWS_SESSION_TOKEN"], "the tests act as the role that integTestRoleName names"
os.environ["GREETING"] = "Good morning"
assert handler({"name": "tester"}, None) == "Good morning, tester"
print("the built function greets the tester, tested as", os.environ["AWS_ACCESS_KEY_ID"][:4] + "...")
