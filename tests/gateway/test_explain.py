"""What a ticket's player and operators are told of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.arena import found, put_arena
from support.gateways import Gateway, gateway, matcher
from support.tokens import Signer


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path)


@pytest.fixture
async def served(redis_url: str, signer: Signer) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, signer) as opened:
        yield opened


async def ask(served: Gateway, path: str, who: str, scope: str = "player") -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {served.signer.token(who, scope=scope)}"}
        answer = await client.get(f"{served.url}/api/v1/{path}", headers=headers)
        return answer.status_code, answer.json()


async def test_a_waiting_ticket(served: Gateway, redis_url: str) -> None:
    async with served.player("alice") as alice, matcher(redis_url):
        ticket = (await alice.join())["data"]["ticket_id"]
        reason = None
        while reason is None:  # a round has looked at it
            status, told = await ask(served, f"matchmaking/tickets/{ticket}", "alice")
            assert status == 200
            reason = told["reason"]
        assert (told["state"], told["pool"], told["position"], told["waiting"]) == ("waiting", "duel", 1, 1)
        assert reason["rule"] == "players"
        assert reason["windows"]["skill.maxDistance"] >= 150
        assert [(entry["ticket_id"], entry["what"], entry["detail"]) for entry in told["history"]] == [
            (ticket, "joined", "duel/local/ranked")
        ]
        by_admin = await ask(served, "players/alice/ticket", "operator", "admin")
        assert (by_admin[0], by_admin[1]["ticket_id"]) == (200, ticket)
        assert (await ask(served, f"matchmaking/tickets/{ticket}?player=alice", "operator", "admin"))[0] == 200
        assert (await ask(served, f"matchmaking/tickets/{ticket}?player=alice", "mallory"))[0] == 403
        assert (await ask(served, f"matchmaking/tickets/{ticket}", "mallory"))[0] == 404
        assert (await ask(served, "players/alice/ticket", "mallory"))[0] == 403
        await alice.send("queue_leave")
        await alice.receive("queue_left")
        _, told = await ask(served, f"matchmaking/tickets/{ticket}", "alice")
        assert (told["state"], told["history"][-1]["what"], told["history"][-1]["detail"]) == ("ended", "ended", "left")


async def test_a_ticket_that_went_back(served: Gateway, redis_url: str) -> None:
    async with found(served, redis_url, "alice", "bob") as (match, (alice, bob)):
        await bob.send("match_decline", match_id=match)
        again = (await alice.receive("match_cancelled"))["data"]["ticket_id"]
        _, told = await ask(served, "players/alice/ticket", "alice")
        assert (told["ticket_id"], told["state"]) == (again, "waiting")
        assert [entry["what"] for entry in told["history"]] == ["joined", "matched", "cancelled", "requeued"]
        before = told["history"][0]["ticket_id"]
        _, old = await ask(served, f"matchmaking/tickets/{before}", "alice")
        assert old["state"] == "matched"
    await put_arena(redis_url)
    assert (await ask(served, "players/nobody/ticket", "nobody"))[0] == 404
