# The S3 server and the Git server of the development namespace, in one image.
ARG BASE
FROM ${BASE}
COPY versitygw /usr/local/bin/versitygw
COPY git_server.py /opt/git_server.py
USER 65532:65532
