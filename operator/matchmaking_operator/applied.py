"""What was applied, and whether it is still there: how drift is told from what KEDA and others write beside us.

The API server fills in defaults, so a live object is never equal to its manifest. Remembered is what it was right after it was applied: a spec that
changed has another generation, and what has no generation (a ConfigMap) another resource version.
"""

import hashlib
import json

from msgspec import Struct

from .manifests import PAUSED, Manifest

Key = tuple[str, str, str, str]  # API version, kind, namespace, name


class Mark(Struct, frozen=True):
    """An object right after it was applied; `manifest` is compared by identity first, which costs nothing."""

    manifest: Manifest
    digest: str
    uid: str
    version: str


def key_of(manifest: Manifest) -> Key:
    """What names an object."""
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


class Applied:
    """Marks of everything that this process applied."""

    def __init__(self) -> None:
        self._marks: dict[Key, Mark] = {}

    def needs(self, manifest: Manifest) -> bool:
        """Whether a manifest is not what was applied last."""
        mark = self._marks.get(key_of(manifest))
        return mark is None or (mark.manifest is not manifest and mark.digest != _digest(manifest))

    def note(self, manifest: Manifest, live: Manifest) -> None:
        """Remember an object as it was applied."""
        self._marks[key_of(manifest)] = Mark(manifest, _digest(manifest), _uid(live), _version(live))

    def forget(self, key: Key) -> None:
        """It was deleted."""
        self._marks.pop(key, None)

    def drifted(self, kind: tuple[str, str], live: list[Manifest]) -> set[Key]:
        """Which objects of a kind are gone, or no longer what they were; they are forgotten, so that `needs` says yes."""
        found = {(*kind, each["metadata"]["namespace"], each["metadata"]["name"]): each for each in live}
        drifted = {
            key
            for key, mark in self._marks.items()
            if key[:2] == kind and (key not in found or (mark.uid, mark.version) != (_uid(found[key]), _version(found[key])))
        }
        for key in drifted:
            del self._marks[key]
        return drifted


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _uid(live: Manifest) -> str:
    return str(live["metadata"]["uid"])


def _version(live: Manifest) -> str:
    metadata = live["metadata"]
    paused = (metadata.get("annotations") or {}).get(PAUSED, "")  # the one annotation that changes what KEDA does
    return f"{metadata.get('generation') or metadata['resourceVersion']} {paused}"
