"""What a client offers when it opens a socket: WebSocket subprotocols, because browsers can send nothing else.

    gsm.v1                          the protocol; the one that is accepted
    ticket.<ticket>                 sign-in for browsers: a single-use ticket (native clients send `Authorization: Bearer <token>` instead)
    resume.<epoch>.<seq>.<token>    the last `hello`'s epoch and resume token, and the number of the last event that the client has

The resume token does not sign anybody in; it proves the right to the same session's place in the outbox.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

SUBPROTOCOL = "gsm.v1"
TICKET_SUBPROTOCOL_PREFIX = "ticket."
RESUME_SUBPROTOCOL_PREFIX = "resume."
MOST_OFFERS = 8  # further subprotocols are not looked at

_RESUME = re.compile(r"resume\.([0-9A-Za-z]{1,32})\.([0-9]{1,15})\.([0-9A-Za-z_-]{1,64})\Z")


class Resume(Struct, frozen=True):
    """The session that a client had: `seq` is the number of the last event that it has."""

    epoch: str
    seq: int
    token: str


class Offer(Struct, frozen=True):
    """What a client offers.

    Attributes:
        speaks: it knows our protocol.
        ticket: a browser's sign-in ticket; None if it signs in by a token.
        resume: what it wants to resume; None if it starts anew, or if what it said cannot be read (which is the same).
    """

    speaks: bool = False
    ticket: str | None = None
    resume: Resume | None = None


def parse_offer(subprotocols: Sequence[str]) -> Offer:
    """Read the offered subprotocols. Nothing is refused here."""
    ticket = resume = None
    offered = subprotocols[:MOST_OFFERS]
    for each in offered:
        if each.startswith(TICKET_SUBPROTOCOL_PREFIX) and ticket is None:
            ticket = each.removeprefix(TICKET_SUBPROTOCOL_PREFIX)
        elif resume is None and (found := _RESUME.match(each)):
            resume = Resume(found[1], int(found[2]), found[3])
    return Offer(SUBPROTOCOL in offered, ticket, resume)


def resume_subprotocol(resume: Resume) -> str:
    """The subprotocol that offers to resume."""
    return f"{RESUME_SUBPROTOCOL_PREFIX}{resume.epoch}.{resume.seq}.{resume.token}"
