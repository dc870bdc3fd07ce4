# A Git host with pull requests and webhooks, of which only tests need anything.
ARG BASE
FROM ${BASE}
COPY gitea /usr/local/bin/gitea
COPY static /opt/gitea
COPY app.ini /opt/gitea/app.ini
USER 65532:65532
