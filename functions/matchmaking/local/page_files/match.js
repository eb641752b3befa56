/** What comes after a match was found: the ready check with its clock, then the session as its server tells it, then the result. */

import { element } from "/demo/board.js";

const $ = (id) => document.getElementById(id);
const OVER = ["completed", "cancelled", "expired", "abandoned"];
const WORDS = {
  proposed: "Both must accept.",
  accepted: "Accepted. Looking for a server…",
  allocating: "Looking for a server…",
  ready: "The server is ready. Connect!",
  active: "The match is on.",
  completed: "The match is over.",
  cancelled: "The match was cancelled.",
  expired: "The match took too long and was ended.",
  abandoned: "The match was given up.",
};

/** The part of the page for one match at a time; `session()` gives the live `GameSession`. */
export class MatchCard {
  #session;
  #match = null;
  #answered = false;

  constructor(session, { onError }) {
    this.#session = session;
    $("accept").addEventListener("click", () => this.#answer("accept", onError));
    $("decline").addEventListener("click", () => this.#answer("decline", onError));
    setInterval(() => this.#tick(), 250);
  }

  /** A match was found. */
  found(match) {
    this.#match = match;
    this.#answered = false;
    $("check").hidden = !match.accept_by;
    $("session").hidden = true;
    $("outcome").hidden = true;
    $("accepted").textContent = "";
    this.#free(!match.accept_by);
    this.#tick();
  }

  /** The session's state, or the latest part of it. */
  update({ session_id: id, state }) {
    if (this.#match?.match_id !== id) return;
    const { status } = state;
    $("check").hidden = status !== "proposed" || !this.#match.accept_by;
    $("session").hidden = status === "proposed" || !this.#match.accept_by;
    $("session-status").textContent = WORDS[status] ?? status;
    $("session").dataset.status = status;
    if (status === "proposed") $("accepted").textContent = `${state.accepted} of ${state.players} accepted`;
    if (state.connection) $("server").textContent = `${state.connection.address}:${state.connection.port}`;
    if (state.data?.score) showScore($("score"), state.data);
    if (OVER.includes(status)) {
      this.#showOutcome(state);
      this.#free(true);
    }
  }

  /** A match comes to nothing; returns what to tell. */
  cancelled({ match_id: id, reason, requeued, retry_after: pause }) {
    if (this.#match?.match_id !== id) return null;
    this.#match = null;
    const why = { declined: "A player declined", timeout: "Somebody did not accept in time", allocation_failed: "No server could be found", cancelled: "The match was cancelled" }[reason] ?? "The match was cancelled";
    if (requeued) return `${why}. You are back in the queue, with all the time that you have waited.`;
    return pause ? `${why}. You can queue here again in ${Math.ceil(pause)} s.` : `${why}.`;
  }

  async #answer(what, onError) {
    this.#answered = true;
    $("accept").disabled = $("decline").disabled = true;
    try {
      await this.#session()[what](this.#match.match_id);
    } catch (error) {
      onError(error);
    }
  }

  #showOutcome({ outcome, rating }) {
    if (!outcome) return;
    $("outcome").hidden = false;
    $("outcome-word").textContent = { won: "You won.", lost: "You lost.", drawn: "A draw.", abandoned: "You had left." }[outcome];
    const change = Math.round(rating.after - rating.before);
    $("rating").replaceChildren(`${Math.round(rating.after)} `, element("small", `${change < 0 ? "−" : "+"}${Math.abs(change)}`));
  }

  #free(free) {
    $("again").disabled = $("other").disabled = !free;
  }

  #tick() {
    if (!this.#match?.accept_by || $("check").hidden) return;
    const left = Math.max(0, Math.ceil((new Date(this.#match.accept_by) - Date.now()) / 1000));
    $("accept").textContent = this.#answered ? "Accepted" : `Accept (${left} s)`;
    $("accept").disabled = $("decline").disabled = this.#answered || left === 0;
  }
}

function showScore(place, { score, round, of }) {
  const parts = Object.entries(score).map(([team, points]) => `${team} ${points}`);
  place.textContent = `${parts.join(" : ")}${of ? ` · round ${round} of ${of}` : ""}`;
}
