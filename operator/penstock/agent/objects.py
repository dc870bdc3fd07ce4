"""Hands one try's objects that are no artifacts to others through the store; takes them back."""

from pathlib import Path

from penstock.actions.execution import CONFIGURATION_ERROR, ActionError, StoredObject
from penstock.api.contract.contracts import ActionRequest
from penstock.api.contract.keys import object_key
from penstock.artifacts.store.errors import MissingObjectError
from penstock.artifacts.store.store import Store


class StoreObjects:
    """They stand in the artifact store, which must be on S3: nobody else can read a volume."""

    def __init__(self, store: Store, request: ActionRequest, pod_uid: str) -> None:
        self._store, self._request, self._pod_uid = store, request, pod_uid

    def location(self, name: str) -> StoredObject:
        """Return where an object stands, or would."""
        location = self._request.store
        if location.folder:
            what = (
                "spec.artifactStore is a volume, which nothing outside the cluster can read: use "
                "one of type S3"
            )
            raise ActionError(CONFIGURATION_ERROR, what)
        prefix = f"{location.prefix.strip('/')}/" if location.prefix else ""
        return StoredObject(location.bucket, f"{prefix}{self._key(name)}", location.endpoint)

    def put(self, name: str, file: Path) -> StoredObject:
        """Store a file."""
        where = self.location(name)
        self._store.put_file(self._key(name), file)
        return where

    def get(self, name: str, file: Path) -> bool:
        """Fetch an object; return False if it is not there."""
        # Only for its refusal of a volume.
        self.location(name)
        try:
            with file.open("wb") as target:
                self._store.read(self._key(name), target, self._request.limits.artifact_bytes)
        except MissingObjectError:
            return False
        return True

    def _key(self, name: str) -> str:
        return object_key(self._request.attempt, self._pod_uid, name)
