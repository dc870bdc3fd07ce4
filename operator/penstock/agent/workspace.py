"""Folders of one try: fetches, verifies, unpacks input artifacts; packs and stores output ones."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError
from penstock.api.contract.contracts import ActionRequest, ArtifactLocation, ArtifactOrder
from penstock.api.contract.keys import artifact_key, encode_part, log_key, report_key
from penstock.api.globs import paths as globs
from penstock.api.globs.syntax import GlobError
from penstock.artifacts.errors import ArtifactError
from penstock.artifacts.store.store import Store

_SOURCES = "src"
_WITHOUT_INPUT = "_"
_OUTPUTS = "out"
FORMAT = "tar.zst"


class Workspace:
    """Holds ``src/<input artifact>`` per input below ``root``; an empty folder without inputs."""

    def __init__(self, root: Path, request: ActionRequest, pod_uid: str) -> None:
        self._root = root
        self._pod_uid = pod_uid
        self._request = request
        names = [artifact.name for artifact in request.inputs]
        self.inputs: Mapping[str, Path] = {
            name: root / _SOURCES / encode_part(name) for name in names
        }
        # Of one input there is no choice, so the name of a primary one is not looked at (P-10).
        named = request.configuration.get("PrimarySource") if len(names) != 1 else None
        first = named or (names[0] if names else "")
        if names and first not in self.inputs:
            raise ActionError(
                CONFIGURATION_ERROR,
                f'PrimarySource "{first}" is no input artifact of the action (P-10)',
            )
        self.source = self.inputs[first] if names else root / _SOURCES / _WITHOUT_INPUT

    @property
    def pod_uid(self) -> str:
        """The uid of the pod that works here."""
        return self._pod_uid

    @property
    def log_key(self) -> str:
        """Where the log of this try will be stored."""
        return log_key(self._request.attempt, self._pod_uid)

    def environment(self) -> dict[str, str]:
        """Return CODEBUILD_SRC_DIR and its like, and the identity of this try.

        With it git accepts folders that another user owns.
        """
        secondary = [(name, path) for name, path in self.inputs.items() if path != self.source]
        attempt = self._request.attempt
        return {
            "PENSTOCK_PIPELINE": attempt.pipeline,
            "PENSTOCK_RUN": attempt.run,
            "PENSTOCK_RUN_UID": attempt.run_uid,
            "PENSTOCK_STAGE": attempt.stage,
            "PENSTOCK_ACTION": attempt.action,
            "PENSTOCK_ATTEMPT": str(attempt.attempt),
            "PENSTOCK_TRY": str(attempt.try_),
            "PENSTOCK_POD_UID": self._pod_uid,
            "CODEBUILD_SRC_DIR": str(self.source),
            **{
                f"CODEBUILD_SRC_DIR_{re.sub('[^A-Za-z0-9_]', '_', name)}": str(path)
                for name, path in secondary
            },
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }

    def fetch(self, store: Store, scratch: Path) -> None:
        """Fetch every input; nothing is unpacked before its size and hash are known to be right."""
        (self._root / _SOURCES).mkdir()
        self.source.mkdir()
        for artifact in self._request.inputs:
            self.inputs[artifact.name].mkdir(exist_ok=True)
            self._fetch(store, artifact, scratch / "artifact")

    def _fetch(self, store: Store, artifact: ArtifactLocation, archive: Path) -> None:
        from penstock.artifacts.unpacking import (
            Caps,
            unpack,
        )  # zstandard costs 10 ms that not every action needs

        limits = self._request.limits
        _require_format(artifact.name, artifact.format)
        if artifact.size > limits.artifact_bytes:
            raise _failure(artifact.name, f"it is larger than {limits.artifact_bytes} bytes")
        with archive.open("w+b") as file:
            # A file without a name is gone once it is closed, whichever way the agent ends.
            archive.unlink()
            store.fetch(artifact, file)
            file.seek(0)
            try:
                caps = Caps(limits.artifact_entries, limits.artifact_bytes, limits.artifact_ratio)
                unpack(file, self.inputs[artifact.name], caps)
            except ArtifactError as error:
                raise _failure(artifact.name, error.message) from error

    def output_folder(self, name: str) -> Path:
        """Make a folder for the content of an output artifact."""
        folder = self._root / _OUTPUTS / encode_part(name)
        folder.mkdir(parents=True)
        folder.chmod(0o2777)  # whoever the action's container runs as may write there
        return folder

    def store_output(
        self, store: Store, order: ArtifactOrder, folder: Path | None = None
    ) -> ArtifactLocation:
        """Pack and store an output artifact, from the source folder unless it has its own."""
        from penstock.artifacts.packing import Tree, pack  # see _fetch

        _require_format(order.name, order.format)
        limits = self._request.limits
        try:
            patterns = [globs.parse(text) for text in order.files]
        except GlobError as error:
            raise ArtifactError("ConfigurationError", str(error)) from error
        names = (folder or self.source).relative_to(self._root).parts
        tree = Tree(
            str(self._root),
            names,
            order.name,
            patterns,
            limits.artifact_entries,
            limits.artifact_bytes,
        )
        key = artifact_key(self._request.attempt, self._pod_uid, order.name)
        with store.upload(key, limits.artifact_bytes) as upload:
            pack(tree, upload)
        return ArtifactLocation(order.name, key, upload.size, upload.digest.hexdigest(), FORMAT)

    def store_files(
        self, store: Store, name: str, files: Mapping[str, Sequence[str]]
    ) -> ArtifactLocation:
        """Pack and store single files as one output artifact.

        The mapping is path in it to the names below the source folder.
        """
        from penstock.artifacts.packing import Tree, pack_files  # see _fetch

        limits = self._request.limits
        tree = Tree(
            str(self._root),
            (_SOURCES, self.source.name),
            name,
            (),
            limits.artifact_entries,
            limits.artifact_bytes,
        )
        key = artifact_key(self._request.attempt, self._pod_uid, name)
        with store.upload(key, limits.artifact_bytes) as upload:
            pack_files(tree, files, upload)
        return ArtifactLocation(name, key, upload.size, upload.digest.hexdigest(), FORMAT)

    def store_report(self, store: Store, name: str, file: Path) -> str:
        """Store a report's document; return its key."""
        key = report_key(self._request.attempt, self._pod_uid, name)
        store.put_file(key, file)
        return key


def _require_format(name: str, wanted: str) -> None:
    if wanted != FORMAT:
        raise ActionError(
            CONFIGURATION_ERROR, f'Artifact "{name}": the format {wanted} is not supported'
        )


def _failure(name: str, why: str) -> ActionError:
    return ActionError(CONFIGURATION_ERROR, f'Input artifact "{name}": {why}')
