"""The chart's Redis users, on a Redis for tests."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from support.redis_server import RedisServer

USERS_FILE = Path(__file__).parents[2] / "charts" / "game-session-manager" / "files" / "redis-users.yaml"
ROLES = ("gateway", "matcher", "operator", "keda")


def declared() -> dict[str, Any]:
    """The chart's file."""
    users: dict[str, Any] = yaml.safe_load(USERS_FILE.read_text())
    return users


def acl_line(role: str, password: str) -> str:
    """A user as Redis' list of users has it, in the chart's order of words."""
    users = declared()
    rule = users[role]
    digest = hashlib.sha256(password.encode()).hexdigest()
    text = (
        f"user {role} on #{digest} resetkeys resetchannels {rule['keys']} {rule['channels']} -@all {users['connecting']} {rule['commands']}"
    )
    return " ".join(text.split())


@contextmanager
def redis_with_users(*options: str, default: str = "on nopass ~* &* +@all") -> Iterator[RedisServer]:
    """A Redis with the chart's users, each with its own name for a password. The default user is the test's own, unless another is given."""
    with TemporaryDirectory(prefix="gsm-acl-") as folder:
        file = Path(folder) / "users.acl"
        file.write_text("\n".join([f"user default {default}", *(acl_line(role, role) for role in ROLES)]) + "\n")
        with RedisServer("--aclfile", str(file), *options, user=None if default.startswith("on") else "gateway") as server:
            yield server


def url(server: RedisServer, role: str, scheme: str = "redis") -> str:
    """Where `role` reaches the server."""
    return f"{scheme}://{role}:{role}@127.0.0.1:{server.port}"
