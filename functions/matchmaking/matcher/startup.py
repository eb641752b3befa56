"""The matcher's few settings, read from the same environment variables as `settings.Settings` (a test compares the two), without importing pydantic."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from matchmaking.core.errors import MatchmakingError

PREFIX = "MATCHMAKING_"


class MatcherSettings(msgspec.Struct, frozen=True):
    """See `settings.Settings` for what each means."""

    redis_url: str = "redis://127.0.0.1:6379/0"
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_id_key: str = ""
    traces_url: str = ""
    record_to: str = ""


class MatcherSettingsError(MatchmakingError):
    """An environment variable has a value that it cannot have."""


def read_settings(environment: Mapping[str, str]) -> MatcherSettings:
    """The settings in an environment.

    Raises:
        MatcherSettingsError: a value is none of those allowed.
    """
    found = {name: environment[PREFIX + name.upper()] for name in MatcherSettings.__struct_fields__ if PREFIX + name.upper() in environment}
    try:
        return msgspec.convert(found, MatcherSettings)
    except msgspec.ValidationError as error:
        raise MatcherSettingsError(f"{PREFIX}…: {error}") from error
