"""Volumes for claims, on clusters that make none by themselves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from support.cluster import Manifest, eventually, run
from support.release import FULLNAME, IMAGE


def has_default_class() -> bool:
    """Whether claims get a volume without our help."""
    classes = json.loads(run("kubectl", "get", "storageclass", "-o", "json"))["items"]
    return any(each["metadata"].get("annotations", {}).get("storageclass.kubernetes.io/is-default-class") == "true" for each in classes)


@contextmanager
def redis_volume(namespace: str) -> Iterator[None]:
    """A folder of the node, kept for the claim of the Redis in a namespace; nothing where the cluster has a default storage class."""
    with node_volume(namespace, "redis", f"data-{FULLNAME}-redis-0"):
        yield


@contextmanager
def node_volume(namespace: str, what: str, claim: str) -> Iterator[None]:
    """A folder of the node, kept for a claim in a namespace; nothing where the cluster has a default storage class."""
    if has_default_class():
        yield
        return
    path, name = f"/var/lib/{namespace}-{what}", f"{namespace}-{what}"
    _on_node(f"{name}-make-folder", path, "rm -rf /folder/* && chmod 0777 /folder")
    run("kubectl", "delete", "persistentvolume", name, "--ignore-not-found", "--timeout=60s")
    volume: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": path},
            "claimRef": {"namespace": namespace, "name": claim},
        },
    }
    run("kubectl", "apply", "-f", "-", stdin=json.dumps(volume))
    try:
        yield
    finally:
        run("kubectl", "delete", "persistentvolume", name, "--ignore-not-found", "--timeout=60s")
        _on_node(f"{name}-empty-folder", path, "rm -rf /folder/*")


def _on_node(name: str, path: str, command: str) -> None:
    """Run a shell command as root, with a folder of the node at /folder."""
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "shell",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", command],
                    "securityContext": {"runAsUser": 0},
                    "volumeMounts": [{"name": "folder", "mountPath": "/folder"}],
                }
            ],
            "volumes": [{"name": "folder", "hostPath": {"path": path, "type": "DirectoryOrCreate"}}],
        },
    }
    run("kubectl", "-n", "default", "delete", "pod", name, "--ignore-not-found", "--timeout=60s")
    run("kubectl", "apply", "-f", "-", stdin=json.dumps(pod))
    phase = ["kubectl", "-n", "default", "get", "pod", name, "-o", "jsonpath={.status.phase}"]
    eventually(f"{name} succeeded", lambda: run(*phase) == "Succeeded")
    run("kubectl", "-n", "default", "delete", "pod", name, "--timeout=60s")
