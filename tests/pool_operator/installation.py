"""An operator of our own on a real API server: one namespace, one Redis that KEDA can reach, one operator process."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from matchmaking.commands.crd import manifest
from pool_operator.kubectl import RefusedError, apply, get, kubectl
from support.redis_server import RedisServer, free_port

PATIENCE = 90.0  # s; a liveness bound for a machine under load, never a measure
SECRET = "game-session-manager-redis"
T = TypeVar("T")


def eventually(what: str, look: Callable[[], T], patience: float = PATIENCE) -> T:
    """Look until it is truthy."""
    until = time.monotonic() + patience
    while True:
        try:
            found = look()
        except RefusedError:
            found = None  # type: ignore[assignment]
        if found:
            return found
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.2)


def install_definition() -> None:
    """The CustomResourceDefinition, as it is generated now."""
    apply(yaml.safe_load(manifest()), "--server-side", "--force-conflicts")
    kubectl("wait", "--for=condition=Established", "crd/matchmakingpools.gamesessions.dev", "--timeout=30s")


def node_address() -> str:
    """Where pods reach what listens beside them on the node."""
    return kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}")


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A namespace that is gone afterwards, without waiting for it."""
    name = f"op-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def reachable_redis(*options: str, port: int | None = None) -> RedisServer:
    """A Redis that pods can reach too."""
    return RedisServer("--bind", "0.0.0.0", "--protected-mode", "no", *options, port=port)


class Operator:
    """One operator process for one namespace."""

    def __init__(self, namespace: str, redis_url: str, folder: Path, **environment: str) -> None:
        self.namespace, self.log = namespace, folder / f"operator-{secrets.token_hex(4)}.log"
        self.health_port, self.metrics_port = free_port(), free_port()
        host, _, port = redis_url.removeprefix("redis://").rpartition("@")[2].removesuffix("/0").partition(":")
        address = node_address() if host == "127.0.0.1" else host
        self._environment = {
            "MATCHMAKING_REDIS_URL": redis_url,
            "MATCHMAKING_OPERATOR_NAMESPACE": namespace,
            "MATCHMAKING_OPERATOR_TRIGGER_ADDRESS": f"{address}:{port}",
            "MATCHMAKING_OPERATOR_MATCHER_IMAGE": "localhost/redis:7",
            "MATCHMAKING_OPERATOR_REDIS_SECRET": SECRET,
            "MATCHMAKING_OPERATOR_HEALTH_PORT": str(self.health_port),
            "MATCHMAKING_OPERATOR_METRICS_PORT": str(self.metrics_port),
            "MATCHMAKING_OPERATOR_REFRESH_SECONDS": "1",
            "MATCHMAKING_OPERATOR_RESYNC_SECONDS": "2",
            "MATCHMAKING_OPERATOR_LOG_FORMAT": "text",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": namespace}}
        apply(secret | {"stringData": {"url": f"redis://{address}:{port}/0"}})

    def start(self) -> None:
        """Start it; it is not awaited."""
        with self.log.open("ab") as log:
            command = [str(Path(sys.executable).parent / "matchmaking-operator")]
            self.process = subprocess.Popen(command, env={**os.environ, **self._environment}, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process is not None and self.process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the operator did not end on SIGTERM; its log:\n{self.log.read_text()[-4000:]}") from None
        assert "Traceback" not in self.log.read_text(), self.log.read_text()[-6000:]


def conditions(name: str, namespace: str) -> dict[str, tuple[str, str, str]]:
    """Type → status, reason, message."""
    pool = get("mmp", name, namespace) or {}
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in pool.get("status", {}).get("conditions", ())}


def until_condition(name: str, namespace: str, type_: str, status: str, reason: str | None = None) -> str:
    """Wait for a condition of the present generation; its message."""

    def look() -> str | None:
        pool: dict[str, Any] = get("mmp", name, namespace) or {"metadata": {}}
        for each in pool.get("status", {}).get("conditions", ()):
            fresh = each["observedGeneration"] == pool["metadata"]["generation"]
            if fresh and each["type"] == type_ and each["status"] == status and reason in {None, each["reason"]}:
                return str(each["message"]) or "-"
        return None

    try:
        return eventually(f"{type_}={status} {reason or ''}", look)
    except AssertionError as error:
        raise AssertionError(f"{error}; the conditions are {conditions(name, namespace)}") from None
