"""The Kubernetes calls: server-side apply under one field manager, lists by label, status, events. Foreign errors are translated here."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.async_client import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType

from matchmaking.core.crd import GROUP, PLURAL, VERSION
from matchmaking.core.pool import KIND

from .errors import ClusterError, ClusterUnavailableError, GoneError, KindMissingError
from .manifests import CONFIG_MAP, GRAFANA_DASHBOARD, MANAGED_BY, PROMETHEUS_RULE, SCALED_JOB, Manifest

FIELD_MANAGER = MANAGED_BY
TIMEOUT = 30.0  # s for one call
PAGE = 250  # objects of one page of a list
Kind = tuple[str, str]

EVENT = ("v1", "Event")
POOL = (f"{GROUP}/{VERSION}", KIND)
PLURALS: dict[Kind, str] = {
    POOL: PLURAL,
    SCALED_JOB: "scaledjobs",
    CONFIG_MAP: "configmaps",
    GRAFANA_DASHBOARD: "grafanadashboards",
    PROMETHEUS_RULE: "prometheusrules",
    EVENT: "events",
}
T = TypeVar("T")


def kind_of(manifest: Manifest) -> Kind:
    """A manifest's API version and kind."""
    return manifest["apiVersion"], manifest["kind"]


class Cluster:
    """One API server, and either one namespace of it or all.

    Args:
        namespace: None for all.
    """

    def __init__(self, client: AsyncClient, namespace: str | None) -> None:
        self._client = client
        self._namespace = namespace
        self._kinds: dict[Kind, Any] = {}

    def _resource(self, kind: Kind) -> Any:
        if kind not in self._kinds:
            group, _, version = kind[0].rpartition("/")
            self._kinds[kind] = create_namespaced_resource(group, version, kind[1], PLURALS[kind])
        return self._kinds[kind]

    async def apply(self, manifest: Manifest) -> Manifest:
        """Bring an object to what the manifest says, whoever changed it; the object as it is then.

        Raises:
            KindMissingError: the cluster has no such kind.
            ClusterUnavailableError, ClusterError
        """
        found: Manifest = await _translated(
            self._client.apply(self._resource(kind_of(manifest))(manifest), field_manager=FIELD_MANAGER, force=True)
        )
        return found

    async def apply_status(self, namespace: str, name: str, status: dict[str, Any]) -> None:
        """Write a pool's status, and nothing of what others wrote beside it.

        Raises:
            GoneError: the pool was deleted meanwhile.
            ClusterUnavailableError, ClusterError
        """
        body = {"apiVersion": POOL[0], "kind": POOL[1], "metadata": {"name": name, "namespace": namespace}, "status": status}
        resource = self._resource(POOL).Status
        await _translated(
            self._client.patch(
                resource, name, body, namespace=namespace, patch_type=PatchType.APPLY, field_manager=FIELD_MANAGER, force=True
            )
        )

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object, if it is there."""
        try:
            await _translated(self._client.delete(self._resource(kind), name, namespace=namespace))
        except GoneError:
            return

    async def owned(self, kind: Kind) -> list[Manifest]:
        """Every object of a kind that this operator made.

        Raises:
            KindMissingError, ClusterUnavailableError, ClusterError
        """
        return await self._list(kind, {"app.kubernetes.io/managed-by": MANAGED_BY})

    async def pools(self) -> list[Manifest]:
        """Every pool."""
        return await self._list(POOL, None)

    async def _list(self, kind: Kind, labels: dict[str, Any] | None) -> list[Manifest]:
        async def collect() -> list[Manifest]:
            listed = self._client.list(
                self._resource(kind),
                namespace=self._namespace or "*",
                labels=labels,
                chunk_size=PAGE,
            )
            return [dict(found) async for found in listed]

        return await _translated(collect())

    async def event(self, event: Manifest) -> None:
        """Tell something about an object; losing an event is no fault."""
        made: Any = self._resource(EVENT)(event)
        await _translated(self._client.create(made))


async def _translated(call: Awaitable[T]) -> T:
    try:
        return await call
    except ApiError as error:
        raise translate(error) from error
    except httpx2.HTTPStatusError as error:
        code = error.response.status_code
        if code == 404:  # a plain page, not an API's answer: nobody serves that group
            raise KindMissingError("the API server has no such API group") from error
        raise (ClusterUnavailableError if code >= 500 or code == 429 else ClusterError)(f"the API server answers {code}") from error
    except (httpx2.HTTPError, OSError) as error:
        raise ClusterUnavailableError(f"the API server cannot be reached: {type(error).__name__}: {error}") from error


def translate(error: ApiError) -> ClusterError:
    """The API server's refusal in our own words."""
    code, message = error.status.code or 0, error.status.message or "no message"
    if code == 404:
        details = error.status.details
        missing = details is None or not details.name
        return KindMissingError(message) if missing else GoneError(message)
    if code >= 500 or code in {408, 429}:
        return ClusterUnavailableError(f"the API server answers {code}: {message}")
    return ClusterError(f"the API server answers {code}: {message}")


@asynccontextmanager
async def open_cluster(namespace: str | None) -> AsyncIterator[Cluster]:
    """The API server of the pod's service account, or of KUBECONFIG."""
    client = AsyncClient(config=KubeConfig.from_env(), timeout=httpx2.Timeout(TIMEOUT), field_manager=FIELD_MANAGER)
    try:
        yield Cluster(client, namespace)
    finally:
        await client.close()
