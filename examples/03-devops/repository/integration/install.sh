#!/bin/sh
# Installs the link checker, unless the image has it.
set -eu
if ! command -v linkchecker > /dev/null; then
    python3 -m pip install --quiet --user LinkChecker
fi
linkchecker --version
