"""A party's ticket whose match came to nothing goes back under a new id: the party names that one, as it named the first, so that nobody comes or goes unnoticed."""

from collections.abc import Sequence

from . import values
from .interface import Store
from .party_news import publish


async def requeue(store: Store, old: str, place: values.Place, members: Sequence[str]) -> str:
    """Name the ticket that a ticket goes back as in the party whose it was; the party's id, empty if it is nobody's or the party is another one by now."""
    party = (await store.party_holding(members[0], None)).party
    return party if party and await store.party_requeue(party, old, place, members) else ""


async def requeued(store: Store, party_id: str, place: values.Place, enqueued: values.Enqueued) -> None:
    """The ticket that `requeue` named has been enqueued, or was refused: tell the members how their party stands."""
    if enqueued.status == "waiting":
        await store.party_waits(party_id, place.ticket, round(enqueued.enqueued * 1000))
    else:
        await store.party_unqueue(party_id, place.ticket, "unqueued")
    await publish(store, party_id)
