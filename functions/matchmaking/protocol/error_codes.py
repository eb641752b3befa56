"""What an `error` message's `code` can be. The README's table is generated from here; a test finds codes that are missing."""

from typing import NamedTuple


class ErrorCode(NamedTuple):
    """What a code means, and whether the same request may succeed later."""

    what: str
    again: bool = False


ERROR_CODES: dict[str, ErrorCode] = {
    "invalid_json": ErrorCode(
        "The frame is no JSON text, or one that readers understand differently: a name twice, NaN, an integer beyond 2^53, more than 8 levels."
    ),
    "unknown_type": ErrorCode("There is no message of that type."),
    "invalid_message": ErrorCode("A field is missing, has the wrong type or is out of bounds; the text names it."),
    "message_too_big": ErrorCode("More than 16 KiB in a message."),
    "invalid_ack": ErrorCode("An `ack` for an event that was never sent."),
    "unknown_pool": ErrorCode("There is no such pool."),
    "unknown_region": ErrorCode("The pool has no such region."),
    "unknown_mode": ErrorCode("The pool has no such mode."),
    "invalid_latency": ErrorCode("A latency is no number of milliseconds."),
    "missing_latency": ErrorCode("The pool's latency rule needs the player's measurements; the text names the regions."),
    "missing_attribute": ErrorCode("A rule of the pool needs an attribute that the join lacks."),
    "invalid_attribute": ErrorCode("An attribute has a type that the pool's rule cannot use."),
    "invalid_rating": ErrorCode("A stored rating is no finite number."),
    "invalid_time": ErrorCode("A stored time is no finite number."),
    "unknown_role": ErrorCode("No team of the pool has a place for the role."),
    "party_too_large": ErrorCode("The party is larger than the pool or its teams take."),
    "duplicate_player": ErrorCode("A player is in the party twice."),
    "empty_ticket": ErrorCode("A ticket without players."),
    "invalid_backfill": ErrorCode("A backfill that cannot be filled; the text says why."),
    "unknown_team": ErrorCode("A backfill names a team that the pool does not have."),
    "invalid_ticket": ErrorCode("The ticket does not fit the pool in another way; the text says how."),
    "no_near_region": ErrorCode(
        "No region of the pool is within the preferred `max_latency` of every player; the text says how far they are."
    ),
    "not_in_party": ErrorCode("The player is in no party."),
    "already_in_party": ErrorCode("The player is in a party, and must leave it first."),
    "unknown_invite": ErrorCode("No party has this invite, or it was replaced or is too old."),
    "party_full": ErrorCode("A party has at most 50 members."),
    "party_queued": ErrorCode("The party waits in a queue; nobody can join it meanwhile.", again=True),
    "not_party_leader": ErrorCode("Only the party's leader queues, invites, promotes and sends away."),
    "not_a_member": ErrorCode("No other member of the party has this player id."),
    "pool_suspended": ErrorCode("The pool takes no new tickets just now.", again=True),
    "already_queued": ErrorCode("The player waits already; the text says where."),
    "already_matched": ErrorCode("The player's match is on its way.", again=True),
    "not_queued": ErrorCode("There is nothing to leave."),
    "in_session": ErrorCode("The player's match goes on.", again=True),
    "cooldown": ErrorCode("The player declined or missed matches of this pool, and has to pause.", again=True),
    "unknown_match": ErrorCode("There is no such match, or it is not the player's."),
    "too_late": ErrorCode("The time to accept is over, or the match has been cancelled."),
    "busy": ErrorCode("Several joins of the same player are under way.", again=True),
    "unavailable": ErrorCode("The store cannot be reached; repeat the same operation with the same `op_id`.", again=True),
    "unauthorized": ErrorCode("Not signed in; the socket closes with 4401."),
    "forbidden": ErrorCode("The token is for another player, another purpose or another page; the socket closes with 4403."),
    "subprotocol_required": ErrorCode("The subprotocol `gsm.v1` was not offered; the socket closes with 4406."),
    "banned": ErrorCode("The player is banned; the text says why. The socket closes with 4411."),
    "rate_limited": ErrorCode("Too much in too short a time; wait for `retry_after`. Who goes on is closed with 4429.", again=True),
    "service_restart": ErrorCode("The gateway is going away; the socket closes with 1012.", again=True),
    "try_again_later": ErrorCode("The store cannot be reached; the socket closes with 1013.", again=True),
}
