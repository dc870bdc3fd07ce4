#!/bin/sh
# What the build needs beyond the image. A project of yours would call its package manager here.
set -eu
python3 --version
