"""Allocation from an Agones fleet, through the Kubernetes API.

A `GameServerAllocation` of Agones is no object that stays: creating it allocates a ready game server of the fleet, and the answer's status says which. So it is not
repeatable. The server is therefore labelled with its match, and an attempt that is not the first looks for a server with that label before it allocates another.

The gateway's service account needs `create` on `gameserverallocations.allocation.agones.dev` and `list` on `gameservers.agones.dev` in the fleet's namespace.
"""

import os
import ssl
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
from msgspec import Struct

from matchmaking.core.pool import Allocation as Wish
from matchmaking.core.session import Session

from .allocation import AllocationError, Connection

LABEL = "gamesessions.dev/match"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LARGEST_ANSWER = 1024 * 1024  # bytes; objects of the Kubernetes API are at most so large
MAIN_PORT = "default"  # Agones' own name for a port that has none


class Port(Struct, frozen=True):
    """A port of a game server."""

    port: int
    name: str = MAIN_PORT


class Status(Struct, frozen=True):
    """The status of an allocation, and of a game server."""

    state: str = ""
    address: str = ""
    ports: list[Port] = []


class Resource(Struct, frozen=True):
    """What is read of either."""

    status: Status = Status()


class Resources(Struct, frozen=True):
    """A list of them."""

    items: list[Resource] = []


T = TypeVar("T")
_resource, _resources = msgspec.json.Decoder(Resource), msgspec.json.Decoder(Resources)


class AgonesAllocator:
    """See `allocation.Allocator`.

    Args:
        client: whose base URL and certificate authority are the Kubernetes API's.
        token_file: the service account's token; read for each request, because it is renewed.
        namespace: the fleets'.
    """

    def __init__(self, client: httpx.AsyncClient, token_file: Path, namespace: str) -> None:
        self._client, self._token_file, self._namespace = client, token_file, namespace

    async def find(self, session: Session, wish: Wish) -> Connection:
        """A game server of the pool's fleet."""
        if not wish.fleet:
            raise AllocationError("`spec.allocation.fleet` is missing", final=True)
        if session.attempts > 1 and (held := await self._allocated_before(session)):
            return held
        body = {
            "apiVersion": "allocation.agones.dev/v1",
            "kind": "GameServerAllocation",
            "metadata": {"generateName": f"match-{session.id}-"},
            "spec": {
                "selectors": [{"matchLabels": {"agones.dev/fleet": wish.fleet}}],
                "metadata": {"labels": {LABEL: session.id}, "annotations": {"gamesessions.dev/pool": session.pool}},
            },
        }
        path = f"/apis/allocation.agones.dev/v1/namespaces/{self._namespace}/gameserverallocations"
        status = _read(_resource, await self._ask("POST", path, body)).status
        if status.state != "Allocated":
            raise AllocationError(f"the fleet `{wish.fleet}` has no server for us: {status.state or 'no state'}")
        return _connection(status)

    async def _allocated_before(self, session: Session) -> Connection | None:
        path = f"/apis/agones.dev/v1/namespaces/{self._namespace}/gameservers?labelSelector={LABEL}%3D{session.id}"
        found = _read(_resources, await self._ask("GET", path)).items
        return _connection(found[0].status) if found and found[0].status.address else None

    async def _ask(self, method: str, path: str, body: object = None) -> bytes:
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            answer = await self._client.request(method, path, json=body, headers=headers)
        except (OSError, httpx.HTTPError) as error:
            raise AllocationError(f"the Kubernetes API cannot be reached: {type(error).__name__}") from error
        if answer.status_code >= 400:
            final = answer.status_code in (400, 401, 403, 404, 405, 422)
            raise AllocationError(f"the Kubernetes API answered {answer.status_code} to {method} {path.split('?', 1)[0]}", final=final)
        if len(answer.content) > LARGEST_ANSWER:
            raise AllocationError("the Kubernetes API's answer is too large")
        return answer.content


def _read(decoder: "msgspec.json.Decoder[T]", data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AllocationError(f"the Kubernetes API's answer is none of Agones': {str(error)[:200]}") from error


def _connection(status: Status) -> Connection:
    """How players reach the server: by its first port, the others by name."""
    if not status.address or not status.ports:
        raise AllocationError("the allocated server has no address or no port")
    connection = {"address": status.address, "port": status.ports[0].port, "ports": {port.name: port.port for port in status.ports}}
    try:
        return msgspec.convert(connection, Connection)
    except msgspec.ValidationError as error:
        raise AllocationError(f"the allocated server's address is none: {error}") from error


def open_kubernetes(url: str = "", ca_file: Path = ACCOUNT / "ca.crt") -> httpx.AsyncClient:
    """A client for the Kubernetes API; without a URL, for the cluster that we run in.

    Raises:
        OSError: the certificate authority's file cannot be read.
    """
    url = url or f"https://{os.environ.get('KUBERNETES_SERVICE_HOST', '')}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}"
    verify = ssl.create_default_context(cafile=str(ca_file)) if url.startswith("https://") else True
    return httpx.AsyncClient(base_url=url, verify=verify, follow_redirects=False, trust_env=False, timeout=5.0)
