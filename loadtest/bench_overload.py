"""Three times as many joins as the service is set to take: what is refused, what is lost, and how soon all is well again.

    python loadtest/bench_overload.py [--capacity 60] [--seconds 10] [--seed 1]

Players of `players` (the client SDK, open model) come at the capacity, then at three times that, then at a third of it, each for so many seconds, all from one
address whose limit is the capacity's: a service that refuses nobody would only be slow. Every ticket is followed to its end.
"""

import argparse

import uvloop

from deployment import Table
from players.ledger import percentile, summary
from players.run import Options, Outcome, run

WELL = 250.0  # ms; p99 from the join's being due to the match
MESSAGES = 3.0  # of a client for each ticket: join, acknowledgement, heartbeats


def recovered(outcome: Outcome, since: float, until: float) -> float:
    """Seconds from the end of the overload until every later second was well."""
    late = 0.0
    for second in range(int(since), int(until)):
        waits = sorted(ms for page in outcome.books.pages if second < page.at <= second + 1 for ms in page.latencies.get("match found", []))
        if waits and percentile(waits, 99) > WELL:
            late = second + 1 - since
    return late


def main(arguments: argparse.Namespace) -> int:
    """Run, and print the figures."""
    capacity, seconds, table = arguments.capacity, arguments.seconds, Table()
    options = Options(
        *("duel-rush", f"{capacity},{3 * capacity},{capacity / 3}", 3 * seconds, arguments.seed, 200, 1, 1, 15.0),
        one_address=True,
        settings={"limit_address": f"{capacity * MESSAGES:.0f}/{capacity * MESSAGES * 2:.0f}"},
    )
    outcome: Outcome = uvloop.run(run(options, lambda *_: None))
    counts = outcome.books.counts()
    refused = sum(times for what, times in counts.items() if what.startswith("refused"))
    told = {what: times for what, times in sorted(counts.items()) if what.startswith(("refused", "not connected", "generator failed"))}
    print(f"--- {counts['arrived']} joins, {counts['joined']} taken, {refused} refused: {told}")
    verdicts = outcome.books.verdicts(1)
    table.line("overload: acknowledged tickets without an end", verdicts[0][1], "", 0)
    table.line("overload: tickets and players matched twice", verdicts[1][1], "", 0)
    table.line("overload: matches of which somebody never heard", verdicts[2][1], "", 0)
    table.line("overload: joins without any answer", counts["arrived"] - counts["joined"] - refused, "", 0)
    table.line("overload: refused with a reason, of all joins", refused / max(1, counts["arrived"]) * 100, "%")
    table.line("overload: well again after", recovered(outcome, 2 * seconds, 3 * seconds), "s", 10.0)
    memory = [sample.memory.get("gateway", 0) / 2**20 for sample in outcome.samples]
    table.line("overload: gateway's memory grew by", max(memory) - memory[0], "MiB", 64.0)
    found = summary(outcome.books.latencies()).get("match found", {})
    table.line("overload: match found, p99 over all", found.get("p99", 0.0), "ms")
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--capacity", type=int, default=60, help="joins per second that the address may make")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the three parts")
    parser.add_argument("--seed", type=int, default=1)
    main(parser.parse_args())
