"""What sessions add to their queue's counts: how ready checks, searches for servers and sessions end.

A session lives in its match's slot, its queue's counts in the pool's: so they are counted after the session was written, each stage once, because a stage is
counted as a numbered batch of the match's. Only a process that dies between the two takes a count with it.
"""

from matchmaking.core.session import Session
from matchmaking.telemetry import metrics

from .interface import Store

READY_CHECK, ALLOCATION, END = 1, 2, 3  # stages, in the order in which sessions come by


async def count_session(store: Store, session: Session) -> None:
    """Count the stage that a session has come to, unless it was counted before."""
    stage, counts = _stage(session)
    if counts:
        await store.count(session.pool, session.region, session.mode, session.id, stage, counts)


def _stage(session: Session) -> tuple[int, dict[str, int]]:
    counts: dict[str, int] = {}
    checked = session.policy.acceptance > 0
    if session.over:
        metrics.count(counts, metrics.SESSIONS, session.status)
        if session.reason == "allocation_failed":
            metrics.count(counts, metrics.ALLOCATIONS, "failed")
        elif checked and session.status == "cancelled" and (session.reason == "timeout" or session.reason.startswith("declined")):
            metrics.count(counts, metrics.READY_CHECKS, "timeout" if session.reason == "timeout" else "declined")
        return END, counts
    if session.status == "ready":
        metrics.count(counts, metrics.ALLOCATIONS, "allocated")
        return ALLOCATION, counts
    if checked and session.status in {"accepted", "allocating", "active"}:
        metrics.count(counts, metrics.READY_CHECKS, "accepted")
    return READY_CHECK, counts
