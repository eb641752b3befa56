"""Wires a matcher job and runs it: `matchmaking matcher --pool duel --region eu-west`."""

import asyncio
import gc
import logging
import os
import signal

import uvloop

from matchmaking.store.connect import open_store
from matchmaking.telemetry.logs import configure_logs, happened
from matchmaking.telemetry.traces import open_traces

from .job import Job, UnknownPoolError
from .startup import MatcherSettings, read_settings

GARBAGE = (
    50_000,
    10,
    50,
)  # a queue's tickets are no garbage: looking through them for cycles again and again took a tenth of a matcher's time
_log = logging.getLogger(__name__)


def main(pool: str, region: str, record: str = "") -> int:
    """Run one job to its end; 2 if there is nothing that it could serve."""
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level, id_key=settings.log_id_key, quick=True)
    gc.set_threshold(*GARBAGE)
    gc.freeze()  # what was imported stays
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, pool, region, record))


async def _run(settings: MatcherSettings, pool: str, region: str, record: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    started = loop.time()
    traces = open_traces("matcher", settings.traces_url, id_key=settings.log_id_key)
    async with open_store(settings.redis_url) as store:
        if settings.traces_url:
            store.note_calls()
        job = Job(store, pool, region, stop, record or settings.record_to, traces, record_always=bool(record))
        happened(_log, "matcher started", matcher=job.id, pool=pool, region=region)
        try:
            report = await job.run()
        except UnknownPoolError as error:
            happened(_log, "matcher has nothing to serve", level=logging.ERROR, matcher=job.id, pool=pool, region=region, error=str(error))
            return 2
    traces.hand_in()
    traces.close()
    happened(
        _log,
        "matcher ended",
        matcher=job.id,
        pool=pool,
        region=region,
        reason=report.reason,
        seconds=round(loop.time() - started, 3),
        rounds=report.rounds,
        matches=report.matches,
        tickets=report.tickets,
        conflicts=report.conflicts,
    )
    return 0
