"""The proof of `loadtest/prove_cuts.py`, twenty-five cuts of it: a client on two gateway processes in turn hears every event once, in order."""

import prove_cuts
from deployment import deployment


async def test_a_client_that_is_cut_at_random_moments_hears_every_event_once_in_order() -> None:
    with deployment(2) as running:
        table = await prove_cuts.prove(running, cuts=25, seed=3)
    assert table.missed == 0
