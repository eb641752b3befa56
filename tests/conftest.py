"""Fixtures for all tests: Hypothesis' profiles, a real Redis for the whole run, and a clean store for each test."""

import os
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest

from matchmaking.store.connect import open_store
from matchmaking.store.redis_store import RedisStore
from support.redis_server import RedisServer, flush

hypothesis.settings.register_profile("everyday", max_examples=60, deadline=None)
hypothesis.settings.register_profile("deep", max_examples=10_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis of our own on loopback, for the whole run."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    flush(redis_server)
    return redis_server.url


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    """A store on an empty Redis."""
    async with open_store(redis_url) as opened:
        yield opened
