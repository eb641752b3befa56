"""Crowds wait for turns, and let others in between."""

import asyncio

from matchmaking.gateway.turns import Turns


async def test_a_crowd_is_let_in_few_at_a_time_and_in_order() -> None:
    turns, order, rounds = Turns(2), list[int](), 0

    async def one(i: int) -> None:
        await turns.turn()
        order.append(i)

    tasks = [asyncio.ensure_future(one(i)) for i in range(20)]
    await asyncio.sleep(0)
    while len(order) < 20:
        before = len(order)
        await asyncio.sleep(0)
        rounds += 1
        assert len(order) - before <= 2
    await asyncio.gather(*tasks)
    assert order == list(range(20))
    assert rounds >= 9


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    turns = Turns(1)
    tasks = [asyncio.ensure_future(turns.turn()) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[3].cancel()
    done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert [isinstance(result, asyncio.CancelledError) for result in done] == [False, True, False, True, False]


async def test_a_queue_that_was_empty_goes_on() -> None:
    turns = Turns(1)
    for _ in range(3):
        await asyncio.wait_for(turns.turn(), 10)
