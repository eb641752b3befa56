// Compiled, never run: what a game writes against the types of gsm.js, and what they refuse.

import { GameSession, RefusedError, signInTicket, type MatchFound } from "../../../functions/matchmaking/client/js/gsm.js";

const session = new GameSession({ url: ["https://a.example", "https://b.example"], player: "alice", token: async () => "token", WebSocket });
new GameSession({ url: "https://a.example", player: "alice", ticket: (url) => signInTicket(url, "token") });
session.addEventListener("match_found", ({ detail }) => show(detail));
session.addEventListener("state", ({ detail }) => console.log(detail.state, detail.retryIn?.toFixed(1)));
session.addEventListener("from_the_future", (event) => console.log(event.type));

function show(match: MatchFound): void {
  console.log(match.match_id, match.opponent ?? "several", match.teams.map((team) => team.players.length));
}

export async function play(): Promise<void> {
  session.connect();
  try {
    const joined = await session.join({ pool: "duel", region: "local", mode: "ranked", latency: { local: 12 } });
    console.log(joined.ticket_id);
  } catch (error) {
    if (error instanceof RefusedError && error.retryAfter !== null) setTimeout(play, error.retryAfter * 1000);
  }
  for await (const event of session.events()) {
    if (event.type === "match_found") await session.accept(event.data.match_id);
    if (event.type === "queue_update") console.log(event.data.position + 1);
  }
}

export async function lead(): Promise<string> {
  const { invite } = await session.newInvite();
  return (await session.promote("bob")).leader + invite;
}

// @ts-expect-error promoting names whom
session.promote();
// @ts-expect-error a join names its pool
session.join({ region: "local" });
// @ts-expect-error the ticket is read, not set
session.ticket = null;
