"""Where records go: a folder, or a bucket of any store that speaks S3.

A bucket's objects are written once and whole: lines gather, and go out in a thread as an object of their own. Its address is `s3://bucket/prefix`; where the store
is and who we are, `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` say, as everywhere.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import quote, urlsplit

from matchmaking.core.errors import MatchmakingError
from matchmaking.telemetry.logs import happened

OBJECT_SIZE = 1 << 20  # bytes that go out together
OBJECT_EVERY = 30.0  # s after which they go out anyway, with the next line: what a matcher that is killed takes along
UNDER_WAY = 4  # objects; if the store is slower than that, the next ones are dropped
TRIES, PAUSE, TIMEOUT = 3, 1.0, 10.0  # s
_log = logging.getLogger(__name__)


class RecordPlaceError(MatchmakingError):
    """A record cannot be written there; the text says why."""


class RecordPlace(Protocol):
    """Takes a record's lines."""

    def write(self, line: bytes) -> None:
        """Add a line.

        Raises:
            OSError: it cannot be written, and neither can the next ones.
        """

    async def close(self) -> None:
        """Everything is written."""


class Folder:
    """A file in a folder. Each line is written at once and whole: whoever kills the matcher leaves a file that can be read."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.jsonl"
        self._file: IO[bytes] | None = None

    def write(self, line: bytes) -> None:
        """See `RecordPlace`."""
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        self._file.write(line)

    async def close(self) -> None:
        """See `RecordPlace`."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Bucket:
    """Objects `prefix/name-0001.jsonl`, … in a bucket.

    Args:
        url: `s3://bucket/prefix`.
        environment: who we are, and where the store is.

    Raises:
        RecordPlaceError: the URL names no bucket, the environment tells not who we are, or the library is not installed.
    """

    def __init__(self, url: str, name: str, environment: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise RecordPlaceError(f"`{url}` names no bucket; write s3://bucket/prefix")
        missing = [key for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not environment.get(key)]
        if missing:
            raise RecordPlaceError(f"records are to go to {url}, but {' and '.join(missing)} are not set")
        try:
            from httpx_auth import AWS4Auth
        except ModuleNotFoundError as error:
            raise RecordPlaceError(
                f"records are to go to {url}, but there is no httpx_auth: pip install 'game-session-manager[buckets]'"
            ) from error
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or f"https://s3.{region}.amazonaws.com"
        keys = environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        self._auth = AWS4Auth(*keys, region, "s3", security_token=environment.get("AWS_SESSION_TOKEN") or None)
        self._start = "/".join(part for part in (endpoint.rstrip("/"), parts.netloc, quote(parts.path.strip("/")), quote(name)) if part)
        self._lines: list[bytes] = []
        self._size, self._since, self._number = 0, 0.0, 0
        self._under_way: set[asyncio.Task[None]] = set()

    def write(self, line: bytes) -> None:
        """See `RecordPlace`."""
        if not self._lines:
            self._since = time.monotonic()
        self._lines.append(line)
        self._size += len(line)
        if self._size >= OBJECT_SIZE or time.monotonic() - self._since >= OBJECT_EVERY:
            self._send()

    async def close(self) -> None:
        """See `RecordPlace`."""
        if self._lines:
            self._send()
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _send(self) -> None:
        body, self._lines, self._size = b"".join(self._lines), [], 0
        self._number += 1
        url = f"{self._start}-{self._number:04}.jsonl"
        if len(self._under_way) >= UNDER_WAY:
            happened(_log, "record lost", level=logging.ERROR, url=url, reason="the store is too slow", count=len(body))
            return
        task = asyncio.ensure_future(asyncio.to_thread(self._put, url, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _put(self, url: str, body: bytes) -> None:
        import httpx

        for attempt in range(1, TRIES + 1):
            try:
                httpx.put(url, content=body, auth=self._auth, timeout=TIMEOUT).raise_for_status()
            except httpx.HTTPError as error:
                refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
                if refused or attempt == TRIES:
                    happened(_log, "record lost", level=logging.ERROR, url=url, error=str(error).splitlines()[0], count=len(body))
                    return
                time.sleep(PAUSE * attempt)
            else:
                return


def open_place(to: str, name: str, environment: Mapping[str, str]) -> RecordPlace:
    """Where a record of that name goes: a folder, or `s3://bucket/prefix`.

    Raises:
        RecordPlaceError: it cannot go there.
    """
    return Bucket(to, name, environment) if "://" in to else Folder(Path(to), name)
