"""Parties, and the players bound to them."""

from collections.abc import Mapping, Sequence

from matchmaking.protocol.events import StoredEvent
from matchmaking.store import keys, values
from matchmaking.store import party_values as parties
from matchmaking.store.interface import INVITE_MS, LARGEST_PARTY, LATE_JOIN_MS, MARK_MS, OUTBOX_CAP

from .state import MemoryPart, PartyState


class MemoryParties(MemoryPart):
    """See `interface.PartyStore`. Unused parties are kept for ever."""

    async def party_bind(self, player: str, generation: int, op_id: str, party: str, random: str) -> parties.Binding:
        """See `party_bind.lua`."""
        state, binding = self._player(player), self._binding(player)
        keys.party(party)
        if state.generation != generation:
            return parties.Binding("stale")
        if binding.party and binding.op == op_id:
            return parties.Binding("bound", binding.party, binding.membership)
        if op_id in binding.done:
            return parties.Binding("done", binding.done[op_id])
        if binding.party:
            return parties.Binding("taken", binding.party, binding.membership)
        binding.party, binding.op, binding.shown = party, op_id, 0
        binding.membership = f"{self._now():011x}{random}"
        return parties.Binding("bound", party, binding.membership)

    async def party_admit(self, party: str, player: str, membership: str, secret: str, new_secret: str) -> parties.Admission:
        """See `party_admit.lua`."""
        state, now = self._parties.get(party), self._now()
        if state and state.members.get(player) == membership:
            return parties.Admission("in")
        if self._party_mark(party, membership) or now - int(membership[:11], 16) > LATE_JOIN_MS:
            return parties.Admission("gone")
        if not secret:
            if state:
                return parties.Admission("taken")
            self._parties[party] = PartyState(player, new_secret, now + INVITE_MS, {player: membership})
            return parties.Admission("in")
        if state is None:
            return parties.Admission("unknown")
        if state.secret != secret or state.until <= now:
            return parties.Admission("invite")
        if state.place:
            return parties.Admission("queued", state.place)
        if len(state.members) >= LARGEST_PARTY:
            return parties.Admission("full")
        state.members[player] = membership
        self._changed(state, "joined")
        return parties.Admission("in")

    def _changed(self, state: PartyState, reason: str) -> None:
        state.version, state.reason = state.version + 1, reason

    def _party_mark(self, party: str, membership: str) -> str:
        reason, until = self._party_marks.get((party, membership), ("", 0))
        return reason if until > self._now() else ""

    async def party_look(self, party: str, player: str, membership: str) -> parties.Membership:
        """See `party_look.lua`."""
        state = self._parties.get(party)
        if state and state.members.get(player) == membership:
            return parties.Membership("in")
        reason = self._party_mark(party, membership)
        if not reason:
            reason = "lost"
            self._party_marks[party, membership] = (reason, self._now() + MARK_MS)
        return parties.Membership("gone", reason)

    async def party_holding(self, player: str, generation: int | None, op_id: str = "", *, anew: bool = False) -> parties.PartyHolding:
        """See `party_holding.lua`."""
        state, binding = self._player(player), self._binding(player)
        if generation is not None and state.generation != generation:
            return parties.PartyHolding("stale")
        if anew:
            binding.done.clear()
            binding.op = ""
        status = "held" if binding.party else "none"
        if op_id and op_id in binding.done:
            status = "done"
        return parties.PartyHolding(status, binding.party, binding.membership, binding.shown, state.held)  # type: ignore[arg-type]

    async def party_read(self, party: str) -> parties.Party | None:
        """See `party_read.lua`."""
        state = self._parties.get(party)
        if state is None:
            return None
        return parties.Party(
            party,
            state.version,
            state.reason,
            state.leader,
            state.secret,
            state.until,
            dict(sorted(state.members.items(), key=lambda member: member[1])),
            dict(state.away),
            state.place,
            state.since,
            self._now(),
        )

    def _tell(self, player: str, event: values.RelayEntry, data: bytes) -> int:
        state = self._player(player)
        state.seq += 1
        state.outbox = [*state.outbox, StoredEvent(state.seq, event.type, data, event.timestamp)][-OUTBOX_CAP:]
        self.published.append((keys.updates_channel(player), event.type, data))
        return state.seq

    async def party_tell(self, player: str, membership: str, version: int, event: values.RelayEntry, ticket: str, without: bytes) -> int:
        """See `party_tell.lua`."""
        binding, held = self._binding(player), self._player(player).held
        if binding.membership != membership or binding.shown >= version:
            return 0
        binding.shown = version
        holds = not ticket or (held is not None and held.ticket == ticket)
        return self._tell(player, event, bytes(event.data) if holds else without)

    async def party_part(self, player: str, membership: str, event: values.RelayEntry | None, op_id: str = "") -> int:
        """See `party_part.lua`."""
        binding = self._binding(player)
        if binding.membership != membership:
            return -1
        if event:
            binding.done[binding.op] = binding.party
        if op_id:
            binding.done[op_id] = binding.party
        binding.party = binding.membership = binding.op = ""
        return self._tell(player, event, bytes(event.data)) if event else 0

    async def party_remove(
        self, party: str, by: str, op_id: str, player: str, membership: str, reason: str, ended: str, new_secret: str
    ) -> parties.Removal:
        """See `party_remove.lua`."""
        state = self._parties.get(party)
        if state is None:
            return parties.Removal("not_member")
        if by not in (player, state.leader):
            return parties.Removal("not_leader")
        if state.members.get(player) != membership:
            return parties.Removal("done" if (by, op_id) in state.done else "not_member")
        if state.place and state.place.ticket != ended:
            return parties.Removal("queued", state.place)
        del state.members[player]
        self._party_marks[party, membership] = (reason, self._now() + MARK_MS)
        if not state.members:
            del self._parties[party]
            return parties.Removal("removed")
        state.away.pop(player, None)
        state.place, state.queue_op, state.since = None, "", None
        if state.leader == player:
            state.leader = min(state.members, key=lambda member: state.members[member])
        if new_secret:
            state.secret, state.until = new_secret, self._now() + INVITE_MS
        if by != player:
            state.done.add((by, op_id))
        self._changed(state, reason)
        return parties.Removal("removed")

    async def party_lead(self, party: str, by: str, op_id: str, leader: str, new_secret: str) -> str:
        """See `party_lead.lua`."""
        state = self._parties.get(party)
        done = state is not None and (by, op_id) in state.done
        if state is None or state.leader != by:
            return "done" if done else "not_leader"
        if done and new_secret and state.until > self._now():
            return "done"
        if leader:
            if leader not in state.members:
                return "not_member"
            state.leader, reason = leader, "promoted"
        if new_secret:
            state.secret, state.until, reason = new_secret, self._now() + INVITE_MS, "invite"
        state.done.add((by, op_id))
        self._changed(state, reason)
        return "changed"

    async def party_queue(
        self, party: str, player: str, membership: str, op_id: str, queue: tuple[str, str, str], random: str
    ) -> parties.Queueing:
        """See `party_queue.lua`."""
        state, nowhere = self._parties.get(party), values.Place("", "", "", "")
        if state is None or state.members.get(player) != membership:
            return parties.Queueing("not_member", nowhere)
        if state.leader != player:
            return parties.Queueing("not_leader", nowhere, (state.leader,))
        if state.place and state.queue_op != op_id:
            return parties.Queueing("taken", state.place)
        if state.place is None:
            state.place, state.queue_op = values.Place(f"{self._now():011x}{random}", *queue), op_id
        others = sorted((member for member in state.members if member != player), key=lambda member: state.members[member])
        return parties.Queueing("queueing", state.place, (player, *others))

    async def party_requeue(self, party: str, old: str, place: values.Place, members: Sequence[str]) -> bool:
        """See `party_requeue.lua`."""
        state = self._parties.get(party)
        if state is None or set(state.members) != set(members):
            return False
        if state.place is None or state.place.ticket == old:
            state.place, state.queue_op, state.since = place, "", None
        return state.place.ticket == place.ticket

    async def party_waits(self, party: str, ticket: str, since_ms: int) -> bool:
        """See `party_waits.lua`."""
        state = self._parties.get(party)
        if state is None or state.place is None or state.place.ticket != ticket or state.since is not None:
            return False
        state.since = since_ms
        self._changed(state, "queued")
        return True

    async def party_unqueue(self, party: str, ticket: str, reason: str) -> bool:
        """See `party_unqueue.lua`."""
        state = self._parties.get(party)
        if state is None or state.place is None or state.place.ticket != ticket:
            return False
        if state.since is not None:
            self._changed(state, reason)
        state.place, state.queue_op, state.since = None, "", None
        return True

    async def party_presence(self, party: str, connected: Mapping[str, bool]) -> bool:
        """See `party_presence.lua`."""
        state, changed = self._parties.get(party), False
        for player, is_connected in connected.items() if state else ():
            if state is not None and player in state.members and is_connected is (player in state.away):
                changed = True
                if is_connected:
                    del state.away[player]
                else:
                    state.away[player] = self._now()
        if changed and state is not None:
            self._changed(state, "presence")
        return changed

    async def are_connected(self, players: list[str], silent: float) -> dict[str, bool]:
        """Those with a sign of life in the last `silent` seconds."""
        since = self._now() - int(silent * 1000)
        return {player: self._presence.get(player, 0) >= since for player in players}
