"""The operator's environment, parsed once. Every variable begins with `MATCHMAKING_OPERATOR_`, except MATCHMAKING_REDIS_URL, which all functions share."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .options import DashboardHome, MatcherPod, Options, RedisTrigger

Words = Annotated[tuple[str, ...], NoDecode]


class OperatorSettings(BaseSettings):
    """What the operator needs to know. Dictionaries are JSON."""

    model_config = SettingsConfigDict(env_prefix="MATCHMAKING_OPERATOR_", extra="ignore", hide_input_in_errors=True, populate_by_name=True)

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices("MATCHMAKING_REDIS_URL", "MATCHMAKING_OPERATOR_REDIS_URL"),
        description="The Redis of gateways and matchers.",
    )
    namespace: str = Field("", description="The one namespace whose pools are served; empty for all.")
    instance: str = Field("game-session-manager", description="The label `app.kubernetes.io/instance` of what the operator makes.")

    matcher_image: str = Field("game-session-manager:latest", description="The image of matcher jobs.")
    matcher_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    matcher_pull_secrets: Words = Field((), description="Names of image pull secrets, separated by commas.")
    matcher_resources: dict[str, Any] = Field({}, description="Requests and limits of matcher pods.")
    matcher_environment: dict[str, str] = Field({}, description="Further environment variables of matchers.")
    record_volume: dict[str, Any] = Field(
        {},
        description="The volume for recordings, for example a persistentVolumeClaim that several nodes may write.",
    )
    record_bucket: str = Field("", description="Or a bucket for them, `s3://bucket/prefix`; with neither, pools are not recorded.")
    record_secret: str = Field("", description="The secret, in each pool's namespace, with `AWS_ACCESS_KEY_ID` and so on, as variables.")
    matcher_pod: dict[str, Any] = Field({}, description="Merged into matcher pods' spec: nodeSelector, tolerations, affinity, …")
    matcher_run_as_user: int | None = Field(None, ge=1, description="The numeric user of matcher pods; empty leaves it to the image.")
    redis_secret: str = Field("game-session-manager-redis", description="The secret, in each pool's namespace, that holds Redis' URL.")
    redis_secret_key: str = Field("url", description="The key in that secret.")
    redis_authority_secret: str = Field(
        "", description="The secret, in each pool's namespace, with the `ca.crt` of a private authority that signed Redis' certificate."
    )

    trigger_type: Literal["redis", "redis-sentinel", "redis-cluster"] = Field("redis", description="KEDA's scaler.")
    trigger_address: str = Field(
        "redis:6379", description="host:port as KEDA reaches Redis; several, by commas, for Sentinels or a cluster."
    )
    trigger_tls: bool = False
    trigger_database: int = Field(0, ge=0, le=1000)
    trigger_sentinel_master: str = Field("", description="The primary's name at the Sentinels.")
    trigger_authentication: str = Field("", description="The TriggerAuthentication with Redis' user and password; empty for none.")
    trigger_authentication_kind: Literal["TriggerAuthentication", "ClusterTriggerAuthentication"] = "TriggerAuthentication"

    dashboard_kind: Literal["ConfigMap", "GrafanaDashboard"] = Field("ConfigMap", description="For Grafana's sidecar, or for its operator.")
    dashboard_labels: dict[str, str] = Field({"grafana_dashboard": "1"}, description="What the sidecar looks for.")
    dashboard_folder_annotation: str = Field("grafana_folder", description="The annotation with the folder's name; empty for none.")
    dashboard_instance_selector: dict[str, str] = Field(
        {"dashboards": "grafana"}, description="The labels of the Grafana instances that take a GrafanaDashboard."
    )
    alert_labels: dict[str, str] = Field({}, description="Labels by which Prometheus selects PrometheusRules.")

    refresh_seconds: float = Field(5.0, ge=0.5, le=300, description="How often status is brought up to date.")
    resync_seconds: float = Field(
        30.0, ge=1, le=3600, description="How often everything is compared with the API server, and drift repaired."
    )
    stale_seconds: float = Field(
        90.0, ge=1, le=3600, description="How long the watch may miss a change before the operator counts as dead."
    )
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(9090, ge=0, le=65535)
    health_host: str = "127.0.0.1"
    health_port: int = Field(8081, ge=0, le=65535, description="/healthz")
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("matcher_pull_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("matcher_run_as_user", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return None if value == "" else value

    def options(self) -> Options:
        """What manifests are made with."""
        return Options(
            RedisTrigger(
                self.trigger_address,
                self.trigger_type,
                self.trigger_tls,
                self.trigger_database,
                self.trigger_sentinel_master,
                self.trigger_authentication,
                self.trigger_authentication_kind,
            ),
            MatcherPod(
                self.matcher_image,
                self.redis_secret,
                self.redis_secret_key,
                self.matcher_pull_policy,
                self.matcher_pull_secrets,
                self.matcher_resources,
                self.matcher_run_as_user,
                self.matcher_environment,
                self.record_volume,
                self.record_bucket,
                self.record_secret,
                self.matcher_pod,
                self.redis_authority_secret,
            ),
            DashboardHome(self.dashboard_kind, self.dashboard_labels, self.dashboard_folder_annotation, self.dashboard_instance_selector),
            self.alert_labels,
            self.instance,
        )
