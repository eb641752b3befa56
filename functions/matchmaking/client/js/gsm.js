/**
 * The browser's client for the protocol `gsm.v1`: one ES module, no dependencies.
 *
 *   const session = new GameSession({ url: "https://play.example.org", player: "alice", ticket: () => signInTicket(url, token) });
 *   session.addEventListener("match_found", ({ detail }) => console.log(detail.match_id, detail.opponent));
 *   session.connect();
 *   await session.join({ pool: "duel", region: "local", mode: "ranked" });
 *
 * It keeps the connection: heartbeats, reconnection as the close codes advise, requests repeated under the same operation id, repeats dropped by `seq`.
 * Each server message is dispatched as an event of its type, with its data as `detail`; besides there are
 *   "state"    { state: "idle" | "connecting" | "live" | "retrying" | "ended", code?, reason?, retryIn? }
 *   "message"  { out, frame }: every frame, for whoever wants to look
 */

/** What to do after a close; a test keeps this equal to the protocol's table. Unknown codes mean that the connection was lost: come back. */
export const CLOSE_CODES = {
  1000: { reconnect: "no", wait: 0 },
  1003: { reconnect: "no", wait: 0 },
  1009: { reconnect: "no", wait: 0 },
  1012: { reconnect: "yes", wait: 1 },
  1013: { reconnect: "yes", wait: 2 },
  4400: { reconnect: "yes", wait: 30 },
  4401: { reconnect: "new token", wait: 0 },
  4403: { reconnect: "no", wait: 0 },
  4406: { reconnect: "no", wait: 0 },
  4408: { reconnect: "yes", wait: 0 },
  4409: { reconnect: "no", wait: 0 },
  4413: { reconnect: "yes", wait: 0 },
};

const LOST = { reconnect: "yes", wait: 0 };
const SUBPROTOCOL = "gsm.v1";
const BASE = 0.5; // s; the bound of the first try's jitter
const CAP = 30; // s; the largest bound
const STABLE = 5; // s; a connection that lived for so long makes the next one a first try again
const ACK_DELAY = 1000; // ms; one acknowledgement for all the events of this time
const MISSED_BEATS = 2; // intervals without anything from the server after which the socket counts as dead

/** Seconds until the next try: full jitter. */
export function delay(attempt, wait, random = Math.random) {
  if (attempt === 0) return wait + random() * Math.max(BASE, wait);
  return random() * Math.min(CAP, Math.max(BASE, wait) * 2 ** attempt);
}

/** A request that the service did not carry out. */
export class RefusedError extends Error {
  constructor({ code, message, retry_after: retryAfter }) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter ?? null;
  }
}

/** Exchange a bearer token for a single-use ticket, because browsers cannot send headers with a WebSocket. */
export async function signInTicket(url, token) {
  const response = await fetch(new URL("/api/v1/sign-in/ticket", url), { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = new RefusedError(body.error ?? { code: "sign_in", message: `sign-in failed with HTTP status ${response.status}` });
    error.final = response.status === 401 || response.status === 403;
    throw error;
  }
  return body.ticket;
}

export class GameSession extends EventTarget {
  #url;
  #ticketSource;
  #socket = null;
  #live = false;
  #closed = true;
  #attempt = 0;
  #tokensRefused = 0;
  #openedAt = 0;
  #heardAt = 0;
  #beatAt = 0;
  #interval = 0;
  #seq = 0;
  #epoch = "";
  #told = true;
  #retryAfter = null;
  #refusal = "";
  #timers = new Map();
  #pending = new Map();
  #prefix = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  #operations = 0;

  /**
   * @param {object} options
   * @param {string} options.url the gateway's address
   * @param {string} options.player the player's id, the token's `sub`
   * @param {() => Promise<string>} options.ticket gives a fresh single-use sign-in ticket for each connection
   */
  constructor({ url, player, ticket }) {
    super();
    const address = new URL(`/ws/${encodeURIComponent(player)}`, url);
    address.protocol = address.protocol.replace("http", "ws");
    this.#url = address;
    this.#ticketSource = ticket;
    this.player = player;
    /** Where the player waits, as far as the server has told. */
    this.ticket = null;
    this.state = "idle";
  }

  /** Connect, and stay connected until `close`. */
  connect() {
    if (!this.#closed) return;
    this.#closed = false;
    this.#attempt = this.#tokensRefused = 0;
    this.#open();
  }

  /** Connect now instead of at the end of the pause between two tries. */
  retryNow() {
    if (this.state !== "retrying") return;
    this.#cancel("retry");
    this.#open();
  }

  /** End the connection; the ticket, if there is one, keeps its place for the pool's grace. */
  close() {
    this.#closed = true;
    this.#clearTimers();
    this.#socket?.close(1000);
    this.#socket = null;
    this.#live = false;
    this.#failPending(new RefusedError({ code: "closed", message: "the connection was closed" }));
    this.#become("idle");
  }

  /** Wait in a queue. Resolves with `queue_joined`; rejects with RefusedError. */
  join(wish) {
    return this.#request("queue_join", wish);
  }

  /** Stop waiting. Resolves with `queue_left`; rejects with RefusedError. */
  leave() {
    return this.#request("queue_leave", {});
  }

  // --- connecting -----------------------------------------------------------------------------------------------------

  async #open() {
    this.#become("connecting");
    this.#refusal = "";
    this.#retryAfter = null;
    let ticket;
    try {
      ticket = await this.#ticketSource();
    } catch (error) {
      if (this.#closed) return;
      this.#refusal = error.message;
      if (error.final) this.#end(4401);
      else this.#again(LOST);
      return;
    }
    if (this.#closed) return;
    const socket = new WebSocket(this.#url, [SUBPROTOCOL, `ticket.${ticket}`]);
    this.#socket = socket;
    this.#openedAt = Date.now();
    socket.onmessage = ({ data }) => this.#socket === socket && this.#received(data);
    socket.onclose = ({ code }) => this.#socket === socket && this.#lost(code);
  }

  #lost(code) {
    this.#socket = null;
    const lived = this.#live ? (Date.now() - this.#openedAt) / 1000 : 0;
    this.#live = false;
    this.#clearTimers();
    const advice = CLOSE_CODES[code] ?? LOST;
    this.#tokensRefused = code === 4401 ? this.#tokensRefused + 1 : 0;
    if (advice.reconnect === "no" || this.#tokensRefused > 1) {
      this.#end(code);
      return;
    }
    if (lived > STABLE) this.#attempt = 0;
    this.#again(advice, code);
  }

  #again(advice, code) {
    const seconds = delay(this.#attempt, this.#retryAfter ?? advice.wait);
    this.#attempt += 1;
    this.#become("retrying", { code, reason: this.#refusal, retryIn: seconds });
    this.#after("retry", seconds * 1000, () => this.#open());
  }

  #end(code) {
    this.#closed = true;
    this.#failPending(new RefusedError({ code: "ended", message: this.#refusal || "the connection ended" }));
    this.#become("ended", { code, reason: this.#refusal });
  }

  #become(state, more = {}) {
    this.state = state;
    this.#emit("state", { state, ...more });
  }

  // --- what comes in --------------------------------------------------------------------------------------------------

  #received(text) {
    this.#heardAt = Date.now();
    const { type, data = {}, seq } = JSON.parse(text);
    this.#emit("message", { out: false, frame: { type, data, seq } });
    if (seq !== undefined) {
      if (seq <= this.#seq) return;
      this.#seq = seq;
      if (!this.#timers.has("ack")) this.#after("ack", ACK_DELAY, () => this.#send("ack", { seq: this.#seq }));
    }
    if (this.#live && this.#heardAt - this.#beatAt > this.#interval) this.#sendBeat(); // a hidden tab's own timers are slow
    this.#handle(type, data);
  }

  #handle(type, data) {
    if (type === "hello") this.#hello(data);
    else if (type === "heartbeat_ack" && !this.#told) this.#reconcile({});
    else if (type === "reconnect") this.#retryAfter = data.retry_after;
    else if (type === "queue_joined") this.#joined(data);
    else if (type === "snapshot") this.#reconcile(data);
    else if (type === "error" && this.#refused(data)) return;
    else if (type === "match_found" || type === "queue_left") this.#ended(type, data);
    this.#emit(type, data);
  }

  #hello(hello) {
    this.#live = true;
    if (hello.epoch !== this.#epoch || !hello.resumed) {
      this.#epoch = hello.epoch;
      this.#seq = hello.seq;
    }
    this.#interval = hello.heartbeat_interval * 1000;
    this.#told = this.ticket === null || hello.resumed === true;
    this.#tokensRefused = 0;
    if (!this.#told) this.#sendBeat(); // no snapshot before its answer: there is nothing to tell
    this.#after("beat", Math.random() * this.#interval, () => this.#beat());
    for (const request of this.#pending.values()) {
      request.repeated = true;
      this.#send(request.type, request.data);
    }
    this.#become("live");
  }

  #joined(data) {
    this.ticket = { ticket_id: data.ticket_id, pool: data.pool, region: data.region, mode: data.mode };
    this.#answer(data.op_id, data);
  }

  #ended(type, data) {
    if (this.ticket?.ticket_id === data.ticket_id) this.ticket = null;
    if (type === "queue_left" && data.op_id) this.#answer(data.op_id, data);
  }

  /** What became of the ticket while we were away. */
  #reconcile({ ticket = null, match = null }) {
    const before = this.ticket;
    this.ticket = ticket;
    this.#told = true;
    if (before === null || ticket?.ticket_id === before.ticket_id) return;
    if (match?.ticket_id === before.ticket_id) this.#emit("match_found", match);
    else this.#emit("queue_left", { ...before, reason: "lost" });
  }

  // --- requests -------------------------------------------------------------------------------------------------------

  #request(type, wish) {
    if (this.#closed) return Promise.reject(new RefusedError({ code: "closed", message: "there is no connection" }));
    this.#operations += 1;
    const opId = `${this.#prefix}-${this.#operations}`;
    const data = { ...wish, op_id: opId };
    return new Promise((resolve, reject) => {
      this.#pending.set(opId, { type, data, resolve, reject, repeated: false });
      if (this.#live) this.#send(type, data);
    });
  }

  #answer(opId, data) {
    this.#pending.get(opId)?.resolve(data);
    this.#pending.delete(opId);
  }

  /** Whether the error was the answer to a request, or comes before a close that says the same. */
  #refused(error) {
    if (!this.#live) {
      this.#refusal = error.message;
      return true;
    }
    const opId = error.op_id || (error.code === "invalid_message" ? this.#pending.keys().next().value : undefined);
    const request = this.#pending.get(opId);
    if (!request) return false;
    this.#pending.delete(opId);
    if (request.repeated && error.code === "not_queued" && this.ticket) request.resolve({ ...this.ticket, reason: "left", op_id: opId });
    else request.reject(new RefusedError(error));
    return true;
  }

  #failPending(error) {
    for (const request of this.#pending.values()) request.reject(error);
    this.#pending.clear();
  }

  // --- what goes out --------------------------------------------------------------------------------------------------

  #send(type, data = {}) {
    this.#timers.delete(type);
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ type, data }));
    this.#emit("message", { out: true, frame: { type, data } });
  }

  #sendBeat() {
    this.#beatAt = Date.now();
    this.#send("heartbeat");
  }

  #beat() {
    if (Date.now() - this.#heardAt > MISSED_BEATS * this.#interval) {
      const socket = this.#socket;
      this.#lost(1006);
      socket?.close();
      return;
    }
    this.#sendBeat();
    this.#after("beat", this.#interval, () => this.#beat());
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #after(name, ms, work) {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(work, ms));
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #clearTimers() {
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
  }
}
