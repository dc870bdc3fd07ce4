#!/bin/sh
# Follows every link of the site at the given URL; ends with 1 if one is broken. Leaves reports/links.csv and links.html.
set -eu
mkdir -p reports
chmod 777 reports  # started as root, the link checker goes on as nobody
export PATH="$PATH:$HOME/.local/bin"
linkchecker --no-status --no-warnings --verbose --timeout 10 --threads 4 \
    --file-output csv/reports/links.csv --file-output html/reports/links.html "$1"
