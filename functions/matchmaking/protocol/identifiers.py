"""Which player ids may exist at all. They come from tokens, and end up in key and channel names."""

import re

PLAYER_ID = re.compile(r"[A-Za-z0-9_.@|+=~:\-]{1,64}\Z")


def valid_player_id(value: object) -> bool:
    """Whether this is a player id: 1 to 64 of letters, digits and `_.@|+=~:-`."""
    return isinstance(value, str) and PLAYER_ID.match(value) is not None
