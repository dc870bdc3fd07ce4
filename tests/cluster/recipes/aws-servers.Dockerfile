# The emulated AWS of the development namespace: two servers, each with packages of its own.
ARG BASE
FROM ${BASE}
COPY ministack /opt/ministack
COPY moto /opt/moto
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/ministack /opt/moto
USER 65532:65532
