"""The fault programme: breaks everything that can break, under load, and proves the promises from what was written down meanwhile.

    python loadtest/prove_faults.py [--only NAME …] [--seed 1] [--scale 1]                   each fault once: minutes
    python loadtest/prove_faults.py --tickets 200000 --matcher-kills 1000 --redis-kills 200    kills in rounds, until there were so many
    python loadtest/prove_faults.py --mutate                                                each rule left out of the scripts must be noticed

Real gateways, matchers and a Redis that writes everything down, all on loopback; players over the bare wire. `faults/check.py` says what is checked. Each line of
the table is one fault with one seed: how often it came, tickets, how many were lost, what was twice (tickets, players, operations), seconds until everything had
ended after the fault did, and the verdict. A line that fails says how to run it again, and keeps its records. Exit code 1 if a promise was broken.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import uvloop
from msgspec import Struct

from deployment import raise_file_limit
from faults import aof, history
from faults.check import Finding, account, check_client, check_store, check_together
from faults.mutations import MUTATIONS
from faults.scenarios import SCENARIOS, Scenario
from faults.system import System, eventually, system

TWICE = ("S2", "S5")
SHOWN = 8  # findings of a line
COLUMNS = (
    f"{'fault':22} {'seed':>7} {'times':>6} {'tickets':>8} {'matches':>8} {'lost':>5} {'twice':>5} {'other':>5} {'ended in':>8}  verdict"
)


class Line(Struct):
    """What came of one fault."""

    name: str
    seed: int
    times: int = 0
    tickets: int = 0
    matches: int = 0
    matcher_kills: int = 0
    redis_kills: int = 0
    ended_in: float = 0.0
    findings: list[Finding] = []

    def __str__(self) -> str:
        broken = Counter(finding.promise for finding in self.findings)
        lost, twice = broken["S1"], sum(broken[promise] for promise in TWICE)
        other = sum(broken.values()) - lost - twice
        verdict = "holds" if not broken else "BROKEN: " + ", ".join(f"{promise} × {count}" for promise, count in sorted(broken.items()))
        return f"{self.name:22} {self.seed:7} {self.times:6} {self.tickets:8} {self.matches:8} {lost:5} {twice:5} {other:5} {self.ended_in:6.1f} s  {verdict}"


async def run(name: str, scenario: Scenario, seed: int, scale: float, folder: Path, mutation: str = "") -> Line:
    """One fault under load, and the check of what was written down."""
    result, random = Line(name, seed), Random(f"{seed} {name}")
    async with system(folder, random, scenario.redis_options, mutation) as running:
        await running.begin(scenario.gateways, scenario.matchers)
        await running.begin_players(scenario.players, scenario.rate, scenario.habits)
        await eventually("players queue", lambda: _queued(running))
        result.times = await scenario.act(running, scale)
        began = time.monotonic()
        result.tickets, wrong = await running.end_players()
        result.ended_in = time.monotonic() - began
        result.findings = [Finding("L1", each) for each in wrong]
        result.findings += await _settled(running)
        result.matcher_kills, result.redis_kills = running.matcher_kills, running.redis.kills
    await asyncio.to_thread(_check, result, scenario, folder)
    return result


async def _queued(running: System) -> bool:
    joined = await asyncio.to_thread(running.redis.client.hget, "pool:{duel}:statistics:local:ranked", "joined")
    return int(joined or 0) >= 20


async def _settled(running: System) -> list[Finding]:
    """Once faults have stopped, every gateway is ready, and every end is relayed."""

    async def relayed() -> bool:
        return not await asyncio.to_thread(running.redis.client.xlen, "pool:{duel}:outbox")

    findings = []
    try:
        await eventually("everything is relayed", relayed, 15)
        for gateway in running.gateways:
            await eventually(f"gateway {gateway.number} is ready", gateway.is_ready, 15)
    except RuntimeError as error:
        findings.append(Finding("L3", str(error)))
    return findings


def _check(result: Line, scenario: Scenario, folder: Path) -> None:
    records = history.read(sorted(folder.glob("players-*.jsonl")))
    for player, entries in records.items():
        result.findings += check_client(player, entries)
    store, found = check_store(aof.steps(folder / "redis"), rolled_back=scenario.rolled_back)
    accounts = [account(player, entries) for player, entries in records.items()]
    result.findings += found + check_together(accounts, store, rolled_back=scenario.rolled_back)
    if scenario.rolled_back and len(set(store.epochs)) < 2:
        result.findings.append(Finding("S4", "the store was rolled back, and its history kept its name"))
    result.matches = len(store.matches)
    if result.tickets < 10:
        result.findings.append(Finding("L1", f"only {result.tickets} tickets: nothing was proved"))


def report(result: Line, command: str, folder: Path) -> None:
    """Print a line, and what a failed one needs."""
    print(result, flush=True)
    if not result.findings:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for finding in result.findings[:SHOWN]:
        print(f"    {finding.promise}  {finding.what}")
    if len(result.findings) > SHOWN:
        print(f"    … and {len(result.findings) - SHOWN} more")
    print(f"    again: python loadtest/prove_faults.py {command}; its records: {folder}", flush=True)


async def each_once(arguments: argparse.Namespace, folder: Path) -> int:
    """Every fault; how many lines failed."""
    failed = 0
    print(COLUMNS)
    for name in arguments.only or SCENARIOS:
        result = await run(name, SCENARIOS[name], arguments.seed, arguments.scale, folder / name)
        report(result, f"--only {name} --seed {arguments.seed} --scale {arguments.scale:g}", folder / name)
        failed += bool(result.findings)
    return failed


async def long(arguments: argparse.Namespace, folder: Path) -> int:
    """Rounds of everything at once, until there were enough tickets and kills; each round has a seed of its own."""
    name = "all-at-once"
    total, seed, failed, began = Line("in all", arguments.seed), arguments.seed, 0, time.monotonic()
    print(COLUMNS)
    while (total.tickets, total.matcher_kills, total.redis_kills) < (arguments.tickets, 0, 0) or (
        total.matcher_kills < arguments.matcher_kills or total.redis_kills < arguments.redis_kills
    ):
        if time.monotonic() - began > arguments.minutes * 60:
            print(f"stopped after {arguments.minutes:g} minutes")
            break
        result = await run(name, SCENARIOS[name], seed, 1, folder / f"{name}-{seed}")
        report(result, f"--only {name} --seed {seed}", folder / f"{name}-{seed}")
        failed += bool(result.findings)
        for field in ("times", "tickets", "matches", "matcher_kills", "redis_kills"):
            setattr(total, field, getattr(total, field) + getattr(result, field))
        total.findings += result.findings
        total.ended_in = max(total.ended_in, result.ended_in)
        seed += 1
    print(total)
    print(
        f"{total.matcher_kills} matcher kills, {total.redis_kills} Redis kills, {total.tickets} tickets, {time.monotonic() - began:.0f} s"
    )
    return failed


async def mutate(arguments: argparse.Namespace, folder: Path) -> int:
    """Each rule left out in turn; how many of them nobody noticed."""
    unnoticed = 0
    for name, mutation in MUTATIONS.items():
        if arguments.only and name not in arguments.only:
            continue
        result = await run(mutation.scenario, SCENARIOS[mutation.scenario], arguments.seed, arguments.scale, folder / name, name)
        broken = Counter(finding.promise for finding in result.findings)
        noticed = any(broken[promise] for promise in mutation.promises)
        unnoticed += not noticed
        print(f"{name:22} in {mutation.scenario:20} {'noticed' if noticed else 'NOT NOTICED'}: {dict(broken)}", flush=True)
        for finding in [each for each in result.findings if each.promise in mutation.promises][:1]:
            print(f"    {finding.promise}  {finding.what}")
    return unnoticed


def main(arguments: argparse.Namespace) -> int:
    """Run what is asked for."""
    raise_file_limit()
    folder = Path(tempfile.mkdtemp(prefix="gsm-faults-"))
    chosen = mutate if arguments.mutate else long if arguments.tickets else each_once
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(chosen(arguments, folder))
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    print("every promise was kept" if not failed else f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="how much of each fault")
    parser.add_argument("--tickets", type=int, default=0, help="the long run: at least so many tickets")
    parser.add_argument("--matcher-kills", type=int, default=0)
    parser.add_argument("--redis-kills", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=120.0, help="the long run ends after so many at the latest")
    parser.add_argument("--mutate", action="store_true", help="leave a rule out of the scripts, each in turn: the programme must notice")
    sys.exit(main(parser.parse_args()))
