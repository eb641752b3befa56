"""`matchmaking` with a fault built in from outside; nothing of this is in the product.

    FAULTS_DIES=commit:after:3 python -m faults.mortal matcher …    dies by SIGKILL when the third `commit` was answered
    FAULTS_MUTATION=no-commit-check python -m faults.mortal …        runs with a script that lacks a rule (see `mutations`)

`before` is: about to be sent; `sent`: on the wire, not waiting for the answer; `after`: answered, but nothing was done with the answer. `*` stands for any script.
"""

import os
import signal
import sys
from typing import Any

from matchmaking.store import scripts

from .mutations import mutated

WHEN = ("before", "sent", "after")


def die() -> None:
    """As if by the out-of-memory killer."""
    os.kill(os.getpid(), signal.SIGKILL)


def make_mortal(where: str) -> None:
    """Die at a script's boundary, `name:when:count`."""
    from matchmaking.store.calls import Calls

    name, when, count = where.split(":")
    left = int(count)
    pipeline = Calls._pipeline  # noqa: SLF001 - the one place through which all scripts go

    async def mortal(self: Calls, batch: list[Any]) -> list[Any]:
        nonlocal left
        left -= sum(called is not None and name in (called.name, "*") for called, *_ in batch)
        if left > 0:
            return await pipeline(self, batch)
        if when == "before":
            die()
        if when == "sent":
            import asyncio

            asyncio.get_running_loop().call_later(0.0005, die)
        replies = await pipeline(self, batch)
        die()
        return replies

    Calls._pipeline = mortal  # type: ignore[method-assign]  # noqa: SLF001


def main() -> int:
    """Build the fault in, then run."""
    if mutation := os.environ.get("FAULTS_MUTATION"):
        original = scripts.script
        scripts.script = lambda name: mutated(original(name), mutation)  # type: ignore[assignment]
    if where := os.environ.get("FAULTS_DIES"):
        make_mortal(where)
    from matchmaking.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
