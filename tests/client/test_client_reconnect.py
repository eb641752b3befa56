"""When to come back: the pure part, and the browser's copy of the close codes."""

import re
from pathlib import Path
from random import Random

import pytest

import matchmaking.client
from matchmaking.client import Backoff, EventsUnreadError
from matchmaking.client.inbox import LIMIT, Inbox
from matchmaking.client.reconnect import meaning_of, meaning_of_status
from matchmaking.protocol.close_codes import MEANINGS, CloseCode
from matchmaking.protocol.messages import AnnouncementData


@pytest.mark.parametrize("code", list(CloseCode))
def test_known_codes_mean_what_the_table_says(code: CloseCode) -> None:
    assert meaning_of(int(code)) == MEANINGS[code]


@pytest.mark.parametrize("code", [1001, 1006, 1011, 4999])
def test_unknown_codes_mean_come_back(code: int) -> None:
    assert meaning_of(code).reconnect == "yes"


@pytest.mark.parametrize(("status", "advice"), [(404, "no"), (403, "no"), (429, "yes"), (502, "yes"), (503, "yes")])
def test_refused_upgrades(status: int, advice: str) -> None:
    assert meaning_of_status(status).reconnect == advice


BACKOFF = Backoff(base=0.5, cap=30.0)


def test_the_first_try_waits_as_asked_and_not_much_longer() -> None:
    random = Random(1)
    assert all(2.0 <= BACKOFF.delay(0, 2.0, random) <= 4.0 for _ in range(200))
    assert all(0.0 <= BACKOFF.delay(0, 0.0, random) <= 0.5 for _ in range(200))


def test_later_tries_are_spread_over_a_growing_and_bounded_time() -> None:
    random = Random(1)
    means = [sum(BACKOFF.delay(attempt, 0.0, random) for _ in range(500)) / 500 for attempt in (1, 3, 5, 50)]
    assert means == sorted(means)
    assert max(BACKOFF.delay(50, 0.0, random) for _ in range(500)) <= 30.0
    assert min(BACKOFF.delay(50, 0.0, random) for _ in range(500)) < 3.0


@pytest.mark.parametrize("attempt", [0, 1, 5, 5000])
def test_what_the_service_asks_for_is_never_undercut(attempt: int) -> None:
    random = Random(1)
    assert min(BACKOFF.delay(attempt, 30.0, random) for _ in range(200)) >= 30.0


def test_the_browsers_close_codes_are_the_protocols() -> None:
    text = (Path(matchmaking.client.__file__).parent / "js" / "gsm.js").read_text()
    found = re.findall(r'^  (\d{4}): \{ reconnect: "([a-z ]+)", wait: ([\d.]+) \},$', text, re.MULTILINE)
    assert {int(code): (advice, float(wait)) for code, advice, wait in found} == {
        int(code): (meaning.reconnect, meaning.wait) for code, meaning in MEANINGS.items()
    }


async def test_who_never_reads_is_told() -> None:
    inbox = Inbox()
    for i in range(LIMIT):
        inbox.put("announcement", AnnouncementData(str(i)))
    with pytest.raises(EventsUnreadError):
        inbox.put("announcement", AnnouncementData("one more"))
