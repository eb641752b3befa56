"""A real gateway process beside a real Redis, for everything hostile."""

from collections.abc import Iterator

import pytest

from deployment import Deployment, deployment


@pytest.fixture(scope="module")
def running() -> Iterator[Deployment]:
    """A deployment of one gateway that logs everything."""
    with deployment(1, log_level="DEBUG", allowed_origins="https://good.example") as started:
        yield started
