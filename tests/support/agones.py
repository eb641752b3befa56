"""Agones' names on a real API server, without Agones: resource definitions that answer with the status that it would give."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from support.cluster import run

STATUS = {"state": "Allocated", "address": "10.0.0.9", "ports": [{"name": "default", "port": 7003}, {"name": "query", "port": 7004}]}
FREE: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(group: str, plural: str, kind: str, default: dict[str, Any] | None) -> dict[str, Any]:
    """A definition whose objects have this status from the start."""
    status = FREE | ({"default": default} if default else {})
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": FREE, "status": status}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def allocations(status: dict[str, Any]) -> dict[str, Any]:
    """The definition of allocations, each of which is answered so."""
    return definition("allocation.agones.dev", "gameserverallocations", "GameServerAllocation", status)


@contextmanager
def agones_definitions() -> Iterator[None]:
    """Both definitions, established; gone at the end."""
    made = [allocations(STATUS), definition("agones.dev", "gameservers", "GameServer", None)]
    run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump_all(made))
    try:
        for each in made:
            run("kubectl", "wait", "--for", "condition=Established", f"crd/{each['metadata']['name']}", "--timeout=60s")
        yield
    finally:
        for each in made:
            run("kubectl", "delete", "crd", each["metadata"]["name"], "--timeout=60s")
