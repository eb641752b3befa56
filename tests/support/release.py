"""The chart as a release in a namespace, and players who connect to it through its service."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from matchmaking.client import Client
from matchmaking.local.keys import AUDIENCE
from matchmaking.protocol.messages import MatchFoundData
from support.cluster import CHART, Manifest, Namespace, eventually, helm

IMAGE = os.environ.get("E2E_IMAGE", "localhost/game-session-manager:e2e")
REDIS_IMAGE = os.environ.get("E2E_REDIS_IMAGE", "localhost/redis:7")
NAME = "gsm"
FULLNAME = "gsm-game-session-manager"
GATEWAY = f"{FULLNAME}-gateway"


def values(**more: Any) -> Manifest:
    """Values for a trial on a small node."""
    repository, _, tag = IMAGE.rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
        "auth": {"evaluationKey": {"enabled": True}},
        "redis": {"image": REDIS_IMAGE, "resources": {"requests": {"cpu": "10m"}}},
        "gateway": {"drainSeconds": 5, "preStopSeconds": 2, "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}}},
        "operator": {"resources": {"requests": {"cpu": "10m"}}},
        "matcher": {"resources": {"requests": {"cpu": "10m"}}},
        **more,
    }


class Release:
    """An installed release."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._key: Any = None
        self._kid = ""

    def upgrade(self, *more: Manifest, wait: bool = True) -> str:
        """Install or upgrade; waits until everything is ready."""
        words = ["upgrade", "--install", NAME, str(CHART), "-n", self.namespace.name, "--timeout=180s", *(["--wait"] if wait else [])]
        return helm(*words, values=[values(), *more])

    def uninstall(self) -> str:
        """Uninstall; returns when helm does."""
        return helm("uninstall", NAME, "-n", self.namespace.name, "--wait", "--timeout=120s", "--ignore-not-found")

    def token(self, player: str) -> str:
        """A token as `matchmaking token` prints it in a gateway, signed here because hundreds are needed."""
        if self._key is None:
            pem = self.namespace.secret(f"{FULLNAME}-evaluation-key")["key.pem"].encode()
            self._key = load_pem_private_key(pem, None)
            from matchmaking.local.keys import _as_jwk

            self._kid = _as_jwk(self._key)["kid"]
        now = int(time.time())
        claims = {"sub": player, "iss": f"{FULLNAME}.evaluation", "aud": AUDIENCE, "iat": now, "exp": now + 3600, "scope": "player"}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._kid})

    @contextmanager
    def gateway(self) -> Iterator[str]:
        """The gateways' address, once there is one that answers."""
        eventually("a gateway is ready", lambda: any(ready(pod) for pod in self.namespace.pods("gateway")))
        with self.namespace.reach(GATEWAY, 80) as (host, port):
            yield f"http://{host}:{port}"

    def declare(self, manifest: Manifest) -> Manifest:
        """Apply a pool and wait until it is ready; as it is then."""
        self.namespace.apply(manifest)
        return self.ready(manifest["metadata"]["name"])

    def ready(self, name: str) -> Manifest:
        """A pool, once it says that it is ready for what was declared last."""
        found: Manifest = eventually(f"pool {name} Ready", lambda: self._if_ready(name), every=0.25)
        return found

    def _if_ready(self, name: str) -> Manifest | None:
        found = self.namespace.get("mmp", name)
        return found if found and condition(found, "Ready") == ("True", found["metadata"]["generation"]) else None

    def jobs(self, pool: str = "") -> list[Manifest]:
        """Matcher jobs that have not ended."""
        selector = f"gamesessions.dev/pool={pool}" if pool else "app.kubernetes.io/component=matcher"
        return [pod for pod in self.namespace.all("pods", selector) if pod["status"]["phase"] in {"Pending", "Running"}]

    def redis(self, *words: str) -> str:
        """A command on the release's Redis, as its admin."""
        password = self.namespace.secret(f"{FULLNAME}-redis-admin")["password"]
        return self.namespace.kubectl(
            "exec", f"{FULLNAME}-redis-0", "--", "redis-cli", "--user", "admin", "--pass", password, "--no-auth-warning", *words
        ).strip()


def ready(pod: Manifest) -> bool:
    """Whether a pod takes requests."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def condition(pool: Manifest, kind: str) -> tuple[str, int] | None:
    """A condition's status, and the generation that it speaks of."""
    for each in pool.get("status", {}).get("conditions", []):
        if each["type"] == kind:
            return each["status"], each["observedGeneration"]
    return None


def reason(pool: Manifest, kind: str) -> str:
    """A condition's reason and message."""
    found = [each for each in pool.get("status", {}).get("conditions", []) if each["type"] == kind]
    return f"{found[0]['reason']}: {found[0].get('message', '')}" if found else ""


@asynccontextmanager
async def player(release: Release, url: str, name: str) -> AsyncIterator[Client]:
    """A connected player, who comes back by itself."""

    async def tokens() -> str:
        return release.token(name)

    async with Client.connect(url, name, token_provider=tokens, connect_timeout=90) as client:
        yield client


async def matched(client: Client) -> MatchFoundData:
    """The client's next match."""
    async for event in client.events():
        if isinstance(event, MatchFoundData):
            return event
    raise AssertionError("the client was closed")
