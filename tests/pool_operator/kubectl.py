"""kubectl, as tests use it; it wants KUBECONFIG."""

import json
import subprocess
from typing import Any

import yaml


class RefusedError(Exception):
    """kubectl ended with an error; the text is its own."""


def kubectl(*words: str, manifest: Any = None, timeout: float = 60) -> str:
    """Run it; a manifest (or several) goes to its standard input.

    Raises:
        RefusedError: it failed.
    """
    text = None if manifest is None else yaml.safe_dump_all(manifest if isinstance(manifest, list) else [manifest])
    done = subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    return done.stdout


def apply(manifest: Any, *words: str) -> str:
    """`kubectl apply` of manifests."""
    return kubectl("apply", "-f", "-", *words, manifest=manifest)


def get(kind: str, name: str, namespace: str) -> dict[str, Any] | None:
    """An object, or None if there is none."""
    found = kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
    return json.loads(found) if found.strip() else None


def listed(kind: str, namespace: str) -> list[dict[str, Any]]:
    """Objects of a kind."""
    items: list[dict[str, Any]] = json.loads(kubectl("get", kind, "-n", namespace, "-o", "json"))["items"]
    return items
