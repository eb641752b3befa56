"""What the gateway does for each effect of the pure connection: one entry in `PERFORM` for each type."""

from matchmaking.protocol import effects

from . import arrival, outbox, parties, queueing, sessions
from .hub import Perform

PERFORM: dict[type, Perform] = {
    effects.Send: lambda _, session, effect: session.send(effect.data),
    effects.Deliver: lambda hub, session, effect: hub.deliver(session, effect.event),
    effects.JoinQueue: lambda hub, session, effect: hub.spawn(hub.metrics.timed("queue_join", queueing.join(hub, session, effect.data))),
    effects.LeaveQueue: lambda hub, session, effect: hub.spawn(
        hub.metrics.timed("queue_leave", queueing.leave(hub, session, effect.op_id))
    ),
    effects.AnswerMatch: lambda hub, session, effect: hub.spawn(sessions.answer(hub, session, effect.data, accepts=effect.accepts)),
    effects.AskParty: lambda hub, session, effect: hub.spawn(parties.ask(hub, session, effect.message)),
    effects.ReadOutbox: lambda hub, session, effect: hub.spawn(outbox.read(hub, session, effect.after)),
    effects.TrimOutbox: lambda hub, session, effect: hub.spawn(outbox.trim(hub, session, effect.upto)),
    effects.Renew: lambda hub, session, _: hub.spawn(arrival.renew(hub, session)),
    effects.Close: lambda _, session, effect: session.close(effect.code),
}
