"""The environment, parsed once, where a process is wired. Every variable begins with `MATCHMAKING_`, for example `MATCHMAKING_REDIS_URL`.

The matcher reads its few settings by `matcher/startup.py` instead: importing pydantic would take most of its time to start.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from matchmaking.protocol.rate import parse_rate


class Settings(BaseSettings):
    """A gateway's settings. Nothing listens beyond loopback unless it is told to."""

    model_config = SettingsConfigDict(env_prefix="MATCHMAKING_", extra="ignore", hide_input_in_errors=True)

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://."
    )
    host: str = Field("127.0.0.1", description="Where clients connect; 0.0.0.0 in a pod.")
    port: int = Field(8080, ge=0, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(9090, ge=0, le=65535, description="Prometheus' own port, never the clients'.")
    jwks_file: Path | None = Field(None, description="The public keys (JWKS) that tokens are checked with.")
    jwks_url: str = Field("", description="Or where to fetch them; read again when a token names an unknown key, and every ten minutes.")
    issuer: str = Field("", description="The `iss` that tokens must have.")
    audience: str = Field("game-session-manager", description="The `aud` that tokens must have.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins, separated by commas, from which browsers may connect; the gateway's own is always allowed."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks of the proxies whose `X-Forwarded-For` or `Forwarded` is believed, for example `10.0.0.0/8`, separated by commas.",
    )
    limit_connection: str = Field("20/100", description="Messages each second of one connection, and so many at once; `off` for no limit.")
    limit_player: str = Field("30/200", description="The same for one player, HTTP requests included.")
    limit_address: str = Field("2000/20000", description="The same for one address, attempts to connect included.")
    unsigned_connections: int = Field(16384, ge=1, description="Connections that have not signed in, in all; each has five seconds.")
    unsigned_connections_per_address: int = Field(2048, ge=1, description="The same from one address.")
    capacity: int = Field(
        10_000, ge=1, description="Connections that one gateway is meant to hold; alerts compare with it, nothing is refused."
    )
    metrics: bool = Field(True, description="Whether anything is counted; off only to measure what counting costs.")
    heartbeat_interval: float = Field(15.0, ge=1, le=300, description="Seconds.")
    drain_seconds: float = Field(10.0, ge=0, le=600, description="How long clients have to leave when the gateway stops.")
    allocation_secret_file: Path | None = Field(None, description="The secret that requests to allocation webhooks are signed with.")
    agones_namespace: str = Field("", description="Where the fleets are from which Agones allocates; empty: pools cannot use Agones.")
    record_to: str = Field(
        "", description="Where matchers record the pools that ask for it (`recording`): a folder, or `s3://bucket/prefix`; empty: nowhere."
    )
    traces_url: str = Field(
        "", description="Where traces go, by OTLP over HTTP: `http://collector:4318`; empty: no traces, and nothing of them is loaded."
    )
    traces_ratio: float = Field(1.0, ge=0, le=1, description="The share of joins that is traced.")
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_id_key: SecretStr = Field(
        SecretStr(""), description="If set, ids of players, tickets and matches are logged as their hash under this key."
    )

    @field_validator("allowed_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("limit_connection", "limit_player", "limit_address")
    @classmethod
    def _is_rate(cls, value: str) -> str:
        parse_rate(value)
        return value
