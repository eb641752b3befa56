"""What may happen to a session of two sides, for tests in which anything comes in any order."""

from typing import Any

from matchmaking.core import session_events as on
from matchmaking.core.session import Result

PLAYER_EVENTS: tuple[type[Any], ...] = (on.Accept, on.Decline, on.Gone, on.Returned)
SERVER_EVENTS: list[Any] = [
    *(on.Due(), on.Attempt(), on.Allocated('{"address":"a","port":1}'), on.Unallocated(), on.Unallocated(final=True)),
    *(on.Reported(), on.CalledOff(), on.Cancel(), on.Fill(), on.StopFilling()),
    *(on.Finished(Result({"side-1": 1, "side-2": 2})), on.Finished(Result({"side-1": 1, "side-2": 1}))),
]
