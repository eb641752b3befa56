"""Ratings leave and enter as JSON lines."""

import io
import json
import os
import subprocess
import sys

import pytest

from matchmaking.commands.profiles import LineError, export, import_lines
from matchmaking.store.interface import Store

LINES = """{"player":"alice","ratings":{"duel:ranked":[1520.5,310.2,0.06]},"recent":["bob"],"counts":{"lost":1,"matches":3,"won":2}}

{"player":"bob@example.org","ratings":{"duel:casual":[1000.0,100.0,0.06],"duel:ranked":[1479.5,310.2,0.06]}}
"""


async def test_what_was_exported_can_be_imported_again(any_store: Store) -> None:
    await any_store.put_preferences("carol", b"{}")
    for _ in range(2):
        assert await import_lines(any_store, io.StringIO(LINES)) == 2
        out = io.StringIO()
        await export(any_store, out)
        lines = {line["player"]: line for line in map(json.loads, out.getvalue().splitlines())}
        assert lines["alice"] == json.loads(LINES.splitlines()[0])
        assert lines["bob@example.org"] == json.loads(LINES.splitlines()[2])


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"player":"a b"}',
        '{"player":"x","ratings":{"duel":[1,1,1]}}',
        '{"player":"x","ratings":{"duel:ranked":[1,0,1]}}',
        '{"player":"x","ratings":{"duel:ranked":[1e99,1,1]}}',
        '{"player":"x","recent":["a b"]}',
        '{"player":"x","other":1}',
    ],
)
async def test_a_line_that_is_no_player_is_named(any_store: Store, line: str) -> None:
    with pytest.raises(LineError, match=r"line 2: .* the 1 players before it were imported"):
        await import_lines(any_store, io.StringIO(f'{{"player":"first","counts":{{"matches":1}}}}\n{line}\n'))
    assert (await any_store.profile("first")).counts == {"matches": 1}


def test_the_command(redis_url: str) -> None:
    environment = {**os.environ, "MATCHMAKING_REDIS_URL": redis_url}
    words = [sys.executable, "-m", "matchmaking.cli", "profiles"]
    done = subprocess.run([*words, "import"], input=LINES, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "2 players\n"
    out = subprocess.run([*words, "export"], env=environment, capture_output=True, text=True, check=True).stdout
    assert [json.loads(line)["player"] for line in out.splitlines()] == ["alice", "bob@example.org"]
