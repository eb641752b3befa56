"""Whose silence is our own fault: players who could not answer because their gateway had died, and who are not back yet.

A player's connection names its gateway, and a player who goes takes that name away: if it still stands there, the player has not gone. Gateways give signs of
life. One that came after the deadline proves that the gateway lived until then; when there is none for `DEAD` seconds, the gateway is dead. In between nobody
knows, and the judgement waits.
"""

import asyncio
from collections.abc import Collection

from .interface import Store

SIGN_EVERY = 0.5  # s between a gateway's signs of life
DEAD = 4.0  # s without one; below `session_step.OWN_FAULT`, beyond which nobody is to blame anyway


async def cut_off(store: Store, players: Collection[str], deadline: float, now: float) -> dict[str, float] | None:
    """Those of these players whose gateway died before a deadline, and who are not back: player → the gateway's last sign of life, seconds since the epoch.

    Args:
        deadline, now: seconds since the epoch, by the store's clock.

    Returns:
        None if that cannot be known yet.
    """
    names = await asyncio.gather(*(store.gateway_of(player) for player in players))
    gateways = {player: name for player, name in zip(players, names, strict=True) if name}
    signs = await store.gateway_signs(set(gateways.values()))
    silent = {name for name in gateways.values() if signs.get(name, 0.0) < deadline}
    if any(now - signs.get(name, 0.0) < DEAD for name in silent):
        return None
    return {player: signs.get(name, 0.0) for player, name in gateways.items() if name in silent}
