"""What manifests need to know of the installation, as plain values."""

from typing import Any, Literal

from msgspec import Struct

TRIGGER_TYPES = ("redis", "redis-sentinel", "redis-cluster")


class RedisTrigger(Struct, frozen=True):
    """How KEDA reaches the Redis that gateways and matchers use.

    Attributes:
        type: KEDA's scaler for one server, for Sentinels, or for a cluster.
        address: host:port; several, separated by commas, for Sentinels and clusters.
        sentinel_master: the primary's name at the Sentinels.
        authentication, authentication_kind: the TriggerAuthentication (or ClusterTriggerAuthentication) with user and password; empty for none.
    """

    address: str
    type: Literal["redis", "redis-sentinel", "redis-cluster"] = "redis"
    tls: bool = False
    database: int = 0
    sentinel_master: str = ""
    authentication: str = ""
    authentication_kind: Literal["TriggerAuthentication", "ClusterTriggerAuthentication"] = "TriggerAuthentication"


class MatcherPod(Struct, frozen=True):
    """What matcher pods are made of.

    Attributes:
        redis_secret, redis_secret_key: where the pool's namespace keeps the URL for MATCHMAKING_REDIS_URL.
        redis_authority: the secret there whose `ca.crt` vouches for Redis' certificate, in place of the system's authorities; empty for those.
        run_as_user: numeric, so that the kubelet can tell that it is not root; None leaves it to the image or the platform.
        record_volume: the volume, without its name, where matchers of pools with `recording.enabled` write.
        record_bucket, record_secret: or the bucket, and the secret with its `AWS_…` variables in each pool's namespace.
        extra: merged into the pod's spec: nodeSelector, tolerations, affinity, priorityClassName and the like.
    """

    image: str
    redis_secret: str
    redis_secret_key: str = "url"  # noqa: S105 - a key's name
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    resources: dict[str, Any] = {}
    run_as_user: int | None = None
    environment: dict[str, str] = {}
    record_volume: dict[str, Any] = {}
    record_bucket: str = ""
    record_secret: str = ""
    extra: dict[str, Any] = {}
    redis_authority: str = ""

    @property
    def records(self) -> bool:
        """Whether there is a place for records."""
        return bool(self.record_bucket or self.record_volume)


class DashboardHome(Struct, frozen=True):
    """How Grafana finds a pool's dashboard.

    Attributes:
        kind: a ConfigMap for Grafana's sidecar, or the Grafana operator's GrafanaDashboard.
        labels, folder_annotation: what the sidecar looks for.
        instance_selector: the labels of the Grafana instances that take a GrafanaDashboard.
    """

    kind: Literal["ConfigMap", "GrafanaDashboard"] = "ConfigMap"
    labels: dict[str, str] = {}
    folder_annotation: str = "grafana_folder"
    instance_selector: dict[str, str] = {}


class Options(Struct, frozen=True):
    """The installation."""

    trigger: RedisTrigger
    matcher: MatcherPod
    dashboards: DashboardHome = DashboardHome()
    alert_labels: dict[str, str] = {}
    instance: str = "game-session-manager"
