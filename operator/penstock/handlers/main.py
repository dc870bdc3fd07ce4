"""The operator process: starts Kopf as the source of events, and the Operator that acts on them."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import kopf

from penstock.api.meta import GROUP, LABEL_RUN_UID, VERSION
from penstock.cluster.credentials import Credentials, mounted_token_file
from penstock.cluster.resources import (
    ACTION_TYPES,
    APPROVALS,
    BUILD_PROJECTS,
    CLUSTER_ACTION_TYPES,
    CONNECTIONS,
    JOBS,
    PIPELINES,
    PODS,
    RUNS,
    TRANSITIONS,
    Resource,
)
from penstock.controller.operator import Operator, OperatorSettings
from penstock.handlers.config import read_config
from penstock.handlers.decoding import CHUNK, decode_safely
from penstock.handlers.storage import NoDiffBase, NoProgress
from penstock.runtime.config import ConfigError, process_identity

_WATCHED: tuple[tuple[tuple[str, str, str], Resource], ...] = (
    ((GROUP, VERSION, "pipelines"), PIPELINES),
    ((GROUP, VERSION, "pipelineruns"), RUNS),
    ((GROUP, VERSION, "buildprojects"), BUILD_PROJECTS),
    ((GROUP, VERSION, "connections"), CONNECTIONS),
    ((GROUP, VERSION, "actiontypes"), ACTION_TYPES),
    ((GROUP, VERSION, "clusteractiontypes"), CLUSTER_ACTION_TYPES),
    ((GROUP, VERSION, "approvals"), APPROVALS),
    ((GROUP, VERSION, "stagetransitions"), TRANSITIONS),
    (("batch", "v1", "jobs"), JOBS),
    (("", "v1", "pods"), PODS),
)


def main() -> None:
    """Run the operator until it is told to stop."""
    parser = argparse.ArgumentParser(prog="penstock-operator", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file (YAML)")
    parser.add_argument("--log-format", choices=("json", "plain"), default="json")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    log_format = kopf.LogFormat.JSON if arguments.log_format == "json" else kopf.LogFormat.PLAIN
    kopf.configure(verbose=arguments.verbose, log_format=log_format)
    try:
        settings = read_config(arguments.config, identity=process_identity())
    except (ConfigError, OSError) as error:
        parser.exit(2, f"penstock-operator: {error}\n")
    run(settings)


def run(settings: OperatorSettings) -> None:
    """Run the operator with the given settings until it is told to stop."""
    registry = build_registry(settings)
    namespaces = list(settings.namespaces)
    decode_safely()
    # Heavy plans are computed in threads: the event loop has its turn after a millisecond, not
    # after five.
    sys.setswitchinterval(0.001)
    kopf.run(registry=registry, standalone=True, clusterwide=not namespaces, namespaces=namespaces)


def build_registry(settings: OperatorSettings) -> kopf.OperatorRegistry:
    """Return Kopf's registry with our handlers.

    They are start, stop, and one for the events of each kind.
    """
    registry = kopf.OperatorRegistry()
    operators: list[Operator] = []

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return _login(**kwargs)

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **kwargs: Any) -> None:
        _configure(settings)
        connection = _login(settings=settings, **kwargs)
        if connection is None:
            # After any other error Kopf would call this handler again and again.
            raise kopf.PermanentError(
                "no service account and no kubeconfig to reach the API server with"
            )
        operator = Operator(_credentials(connection), operator_settings)
        await operator.start()
        operators.append(operator)

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        for operator in operators:
            await operator.stop()

    # Within `start` the name settings means Kopf's own.
    operator_settings = settings
    for selector, resource in _WATCHED:
        _watch(registry, selector, resource, operators)
    return registry


def _watch(
    registry: kopf.OperatorRegistry,
    selector: tuple[str, str, str],
    resource: Resource,
    operators: list[Operator],
) -> None:
    @kopf.on.event(*selector, registry=registry, id=f"{resource.plural}-changed")
    async def changed(event: Any, **_: Any) -> None:
        for operator in operators:
            operator.handle_event(resource, event["type"], dict(event["object"]))


def _configure(settings: kopf.OperatorSettings) -> None:
    settings.posting.enabled = False
    settings.scanning.disabled = True
    # Our own Lease says which replica acts.
    settings.peering.standalone = True
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.watching.label_selectors[("batch", "v1", "jobs")] = LABEL_RUN_UID
    settings.watching.label_selectors[("", "v1", "pods")] = LABEL_RUN_UID
    settings.watching.chunk_size = CHUNK
    # A worker holds its object's last event until it ends: with many large objects that is most of
    # the memory.
    settings.queueing.idle_timeout = 0.2
    settings.watching.server_timeout = 600
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 1
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.process.ultimate_exiting_timeout = 25
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _credentials(connection: kopf.ConnectionInfo) -> Credentials:
    def text(value: str | bytes | None) -> str | None:
        return value.decode() if isinstance(value, bytes) else value

    return Credentials(
        server=connection.server.rstrip("/"),
        ca_path=str(connection.ca_path) if connection.ca_path else None,
        ca_data=text(connection.ca_data),
        certificate_path=str(connection.certificate_path) if connection.certificate_path else None,
        certificate_data=text(connection.certificate_data),
        key_path=str(connection.private_key_path) if connection.private_key_path else None,
        key_data=text(connection.private_key_data),
        token=connection.token,
        token_file=mounted_token_file(),
        insecure=bool(connection.insecure),
    )


if __name__ == "__main__":
    main()
