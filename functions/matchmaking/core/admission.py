"""Whether a pool takes a ticket at all; asked before anything is reserved for it."""

from .errors import InvalidTicketError
from .pool import PoolRules
from .ticket import Ticket


def check_ticket(ticket: Ticket, rules: PoolRules) -> None:
    """Check a ticket against its pool.

    Raises:
        InvalidTicketError: it can never be matched there; path and code say why.
    """
    if rules.region(ticket.region) is None:
        names = ", ".join(region.name for region in rules.regions)
        raise InvalidTicketError("region", f"the pool has no region `{ticket.region[:80]}`; it has {names}", "unknown_region")
    if ticket.mode not in rules.modes:
        raise InvalidTicketError("mode", f"the pool has no mode `{ticket.mode[:80]}`; it has {', '.join(rules.modes)}", "unknown_mode")
    if len(ticket.players) > rules.party.max_size:
        raise InvalidTicketError("players", f"the pool takes parties of up to {rules.party.max_size}", "party_too_large")
