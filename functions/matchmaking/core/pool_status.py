"""What a `MatchmakingPool` tells about itself: the resource's status, written by the operator and by nobody else."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

from .pool import Name

Amount: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Number: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]

CONDITIONS = ("Ready", "RulesValid", "Satisfiable", "QueuesConfigured", "AutoscalingReady", "DashboardsReady", "Degraded")


class Condition(Struct, frozen=True, kw_only=True, rename="camel"):
    """One aspect of the pool, as Kubernetes' conditions go.

    Attributes:
        type: Ready, RulesValid, Satisfiable, QueuesConfigured, AutoscalingReady, DashboardsReady or Degraded.
        status: whether it holds.
        reason: one stable word for why.
        message: what is so, and what to do about it.
        observed_generation: the generation of the spec that this was said of.
        last_transition_time: since when `status` is what it is.
    """

    type: Annotated[str, Meta(min_length=1, max_length=316)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Meta(min_length=1, max_length=1024)]
    message: Annotated[str, Meta(max_length=32768)]
    observed_generation: Amount
    last_transition_time: Annotated[str, Meta(max_length=64, extra_json_schema={"format": "date-time"})]


class QueueStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One queue's numbers.

    Attributes:
        region: the queue's region.
        mode: the queue's mode.
        waiting: tickets that wait.
        matchers: matchers at work on the queue.
        wait_p95_seconds: 95 of 100 tickets matched lately had waited no longer; absent if none was.
        matches_per_minute: matches made in the last minute.
    """

    region: Name
    mode: Name
    waiting: Amount
    matchers: Amount
    wait_p95_seconds: Number | UnsetType = field(default=UNSET, name="waitP95Seconds")
    matches_per_minute: Number


class Totals(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The queues taken together: what `kubectl get` shows. While the store cannot be reached, only how many there are.

    Attributes:
        queues: how many queues the pool has.
        waiting: tickets that wait in all of them.
        matchers: matchers at work.
        wait_p95: the P95 of the waits of tickets matched lately, in any queue; absent if none was.
    """

    queues: Amount
    waiting: Amount | UnsetType = UNSET
    matchers: Amount | UnsetType = UNSET
    wait_p95: Annotated[str, Meta(max_length=32)] | UnsetType = field(default=UNSET, name="waitP95")


class PoolStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The whole status.

    Attributes:
        observed_generation: the generation of the spec that the status is about.
        revision: which revision of the rules gateways and matchers use.
        totals: the queues taken together.
        queues: each queue's numbers.
        conditions: what is well and what is not.
    """

    observed_generation: Amount
    revision: Amount | UnsetType = UNSET
    totals: Totals | UnsetType = UNSET
    queues: Annotated[tuple[QueueStatus, ...], Meta(max_length=1024)] = ()
    conditions: Annotated[tuple[Condition, ...], Meta(max_length=16)] = ()
