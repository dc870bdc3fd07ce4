# The emulated AWS of the development namespace: two servers, each with packages of its own, and a third that uses moto's.
ARG BASE
FROM ${BASE}
COPY ministack /opt/ministack
COPY moto /opt/moto
COPY serverlessrepo_server.py /opt/
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/ministack /opt/moto
USER 65532:65532
