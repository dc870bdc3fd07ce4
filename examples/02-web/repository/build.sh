#!/bin/sh
# Renders the page and the manifests for the commit given as the first argument into out/.
set -eu
commit=$1
mkdir -p out
{
    cat <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-page
data:
  index.html: |
YAML
    sed "s/@COMMIT@/$commit/; s/^/    /" page/index.html
} > out/page.yaml
sed "s/@COMMIT@/$commit/" deploy/web.yaml > out/web.yaml
