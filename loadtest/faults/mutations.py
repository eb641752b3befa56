"""Scripts without one of their rules: whether the fault programme notices. Copies are changed at load; the product's files are not.

Each names the promise that must be found broken, and the scenario that shows it.
"""

import hashlib

from msgspec import Struct

from matchmaking.store.scripts import Script


class Mutation(Struct, frozen=True):
    """A rule that is left out.

    Attributes:
        script: of which script.
        changes: what becomes what in it.
        promises: of which at least one must be found broken.
        scenario: in which.
    """

    script: str
    changes: tuple[tuple[str, str], ...]
    promises: tuple[str, ...]
    scenario: str


MUTATIONS = {
    # The operation id: what is repeated has its effect again.
    "no-operation-id": Mutation("reserve", (("if ARGV[4] ~= '' and held[6] then", "if false then"),), ("S5",), "gateway-kills"),
    # The commit's check: two matchers, or a player who leaves and a matcher, both have their way.
    "no-commit-check": Mutation(
        "commit",
        (
            ("if not score or tonumber(score) ~= ticket.since or taken[ticket.id] then", "if false then"),
            ("if not alive or now - tonumber(alive) >= grace then", "if false then"),
        ),
        ("S1", "S2"),
        "many-matchers",
    ),
    # Validate first: what goes is taken out before it is known whether the match comes about.
    "no-validation-first": Mutation(
        "commit",
        (
            (
                "queue.scores[id] = scores[i] end\n",
                "queue.scores[id] = scores[i] end\n  if #queue.ids > 0 then redis.call('ZREM', queue.waiting, unpack(queue.ids)) end\n",
            ),
        ),
        ("S1",),
        "many-matchers",
    ),
    # A ticket ends once: what was delivered is delivered again.
    "no-delivery-check": Mutation("deliver", (("if held[1] ~= ARGV[3] then", "if false then"),), ("S2", "S3"), "matcher-boundaries"),
    # A rollback that keeps its name.
    "no-new-epoch": Mutation(
        "epoch", (("if known[1] and known[2] == ARGV[2] and known[1] ~= ARGV[4]", "if known[1]"),), ("S3", "S4"), "tail-cut"
    ),
}


def mutated(script: Script, mutation: str) -> Script:
    """The script, changed if it is the one that the mutation is about.

    Raises:
        ValueError: the script has changed, so that the mutation no longer says what is left out.
    """
    chosen = MUTATIONS[mutation]
    if script.name != chosen.script:
        return script
    text = script.text
    for old, new in chosen.changes:
        if text.count(old) != 1:
            raise ValueError(f"mutation {mutation}: {script.name}.lua does not contain once: {old}")
        text = text.replace(old, new)
    return Script(script.name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
