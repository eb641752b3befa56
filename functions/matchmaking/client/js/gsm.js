/**
 * The client for the protocol `gsm.v1`, for browsers and Node: one ES module, no dependencies. Types are in gsm.d.ts.
 *
 *   const session = new GameSession({ url: "https://play.example.org", player: "alice", token: () => myToken });
 *   session.addEventListener("match_found", ({ detail }) => console.log(detail.match_id, detail.opponent));
 *   session.connect();
 *   await session.join({ pool: "duel", region: "local", mode: "ranked" });
 *
 * It keeps the connection: heartbeats, reconnection as the close codes advise, resuming where it was, requests repeated under the same operation id, repeats
 * dropped by `seq`. Each server message, also of a type that this version does not know, is dispatched as an event of its type, with its data as `detail`, and
 * handed out by `events()`; besides there are
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
  4410: { reconnect: "no", wait: 0 },
  4411: { reconnect: "no", wait: 0 },
  4413: { reconnect: "yes", wait: 0 },
  4429: { reconnect: "yes", wait: 30 },
};

const LOST = { reconnect: "yes", wait: 0 };
const SUBPROTOCOL = "gsm.v1";
const OPEN = 1; // WebSocket.OPEN
const QUIET = { hello: 1, heartbeat_ack: 1, reconnect: 1, queue_joined: 1 }; // not handed out by `events()`: answers, and the connection's own affairs
const BASE = 0.5; // s; the bound of the first try's jitter
const CAP = 30; // s; the largest bound
const STABLE = 5; // s; a connection that lived for so long makes the next one a first try again
const ACK_DELAY = 1000; // ms; one acknowledgement for all the events of this time
const GHOST = 30_000; // ms in which an attempt that we lost may still reach its gateway
const HELLO_TIMEOUT = 10_000; // ms from the attempt to the hello
const MISSED_BEATS = 2; // intervals without anything from the server after which the socket counts as dead
const UNREAD = 4096; // events that an iterator keeps for a reader who does not come
const ENDED_REMEMBERED = 16; // tickets; a repeated join may be answered after its ticket's end has come
const WITHOUT_OPERATION = new Set(["invalid_message", "invalid_json", "message_too_big", "unknown_type"]);

/** Seconds until the next try: full jitter on top of what the service asks for. */
export function delay(attempt, wait, random = Math.random) {
  return wait + random() * Math.min(CAP, Math.max(BASE, wait) * 2 ** attempt);
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

/** The events of one `events()` loop: an unread `queue_update` gives way to the next one, and who leaves too many unread is told so. */
class Stream {
  #unread = [];
  #waiting = null;
  #end = null;
  #dealtWith;
  #forget;

  constructor(dealtWith, forget) {
    this.#dealtWith = dealtWith;
    this.#forget = forget;
  }

  put(event) {
    const last = this.#unread.at(-1);
    if (event.type === "queue_update" && last?.type === "queue_update") this.#unread[this.#unread.length - 1] = event;
    else if (this.#unread.length < UNREAD) this.#unread.push(event);
    else this.end(new RefusedError({ code: "events_unread", message: `${UNREAD} events were not read` }));
    this.#wake();
  }

  end(error = null) {
    this.#end ??= { error };
    this.#wake();
  }

  #wake() {
    this.#waiting?.();
    this.#waiting = null;
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        while (this.#unread.length > 0) {
          const event = this.#unread.shift();
          yield event;
          if (event.seq !== undefined) this.#dealtWith(event.seq);
        }
        if (this.#end?.error) throw this.#end.error;
        if (this.#end) return;
        await new Promise((resolve) => (this.#waiting = resolve));
      }
    } finally {
      this.#forget(this);
    }
  }
}

export class GameSession extends EventTarget {
  #addresses;
  #ticketSource;
  #WebSocket;
  #turn = 0;
  #socket = null;
  #live = false;
  #closed = true;
  #attempt = 0;
  #tokensRefused = 0;
  #openedAt = 0;
  #ghostAt = -Infinity;
  #heardAt = 0;
  #beatAt = 0;
  #interval = 0;
  #seq = 0;
  #dealtWith = 0;
  #acknowledged = 0;
  #epoch = "";
  #token = "";
  #retryAfter = null;
  #refusal = "";
  #timers = new Map();
  #pending = new Map();
  #streams = new Set();
  #endedTickets = [];
  #prefix = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  #operations = 0;

  /**
   * @param {object} options
   * @param {string | string[]} options.url the gateway's address, or several, which are tried in turn
   * @param {string} options.player the player's id, the token's `sub`
   * @param {() => string | Promise<string>} [options.token] gives a bearer token for each connection, which is exchanged for a single-use ticket; or else
   * @param {() => Promise<string>} [options.ticket] gives a fresh single-use sign-in ticket for each connection
   * @param {typeof WebSocket} [options.WebSocket] the implementation, where there is none built in
   */
  constructor({ url, player, token, ticket, WebSocket = globalThis.WebSocket }) {
    super();
    if (!token === !ticket) throw new TypeError("give either token or ticket");
    if (!WebSocket) throw new TypeError("there is no WebSocket here; give an implementation as the option WebSocket");
    this.#addresses = [url].flat().map((base) => {
      const address = new URL(`/ws/${encodeURIComponent(player)}`, base);
      address.protocol = address.protocol.replace("http", "ws");
      return { base, socket: address };
    });
    this.#ticketSource = ticket ?? (async (base) => signInTicket(base, await token()));
    this.#WebSocket = WebSocket;
    this.player = player;
    /** Where the player waits, as far as the server has told. */
    this.ticket = null;
    this.state = "idle";
    /** How many connections were greeted, and how many of those went on where the one before had ended. */
    this.connections = 0;
    this.resumed = 0;
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
    for (const stream of this.#streams) stream.end();
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

  /** Accept a match that asks for it (`accept_by`). Resolves with what is known next of the match; rejects with RefusedError. */
  accept(matchId) {
    return this.#request("match_accept", { match_id: matchId }, matchId);
  }

  /** Decline a match that asks for acceptance; the pool may let the player wait before the next one. */
  decline(matchId) {
    return this.#request("match_decline", { match_id: matchId }, matchId);
  }

  /** Begin a party. Resolves with its `party_update`, which carries the invite; rejects with RefusedError, as do the following. */
  createParty() {
    return this.#request("party_create", {});
  }

  /** Join the party of an invite. */
  joinParty(invite) {
    return this.#request("party_join", { invite });
  }

  /** Leave the party; if it waits in a queue, its ticket ends for all. */
  leaveParty() {
    return this.#request("party_leave", {});
  }

  /** The leader sends a member away. */
  kick(player) {
    return this.#request("party_kick", { player_id: player });
  }

  /** The leader has another member lead. */
  promote(player) {
    return this.#request("party_promote", { player_id: player });
  }

  /** The leader makes a new invite, which the answer carries; the one before is good no more. */
  newInvite() {
    return this.#request("party_invite", {});
  }

  /** Ask for anything that the protocol knows; the message with the same operation id is the answer. */
  request(type, data = {}) {
    return this.#request(type, data);
  }

  /** What the server tells, `{ type, data, seq }`, in order and without repeats: `for await (const event of session.events())`. Ends with the session. */
  events() {
    const stream = new Stream(
      (seq) => this.#done(seq),
      (gone) => this.#streams.delete(gone),
    );
    this.#streams.add(stream);
    return stream[Symbol.asyncIterator]();
  }

  // --- connecting -----------------------------------------------------------------------------------------------------

  async #open() {
    this.#become("connecting");
    this.#refusal = "";
    this.#retryAfter = null;
    const address = this.#addresses[this.#turn++ % this.#addresses.length];
    let ticket;
    try {
      ticket = await this.#ticketSource(address.base);
    } catch (error) {
      if (this.#closed) return;
      this.#refusal = error.message;
      if (error.final && (error.code !== "unauthorized" || this.#tokensRefused++ > 0)) this.#end(4401);
      else this.#again(LOST);
      return;
    }
    if (this.#closed) return;
    const position = this.#token ? [`resume.${this.#epoch}.${this.#seq}.${this.#token}`] : [];
    const socket = new this.#WebSocket(address.socket, [SUBPROTOCOL, `ticket.${ticket}`, ...position]);
    this.#socket = socket;
    this.#openedAt = Date.now();
    this.#after("hello", HELLO_TIMEOUT, () => this.#abandon(socket));
    socket.onmessage = ({ data }) => this.#socket === socket && this.#received(socket, data);
    socket.onclose = ({ code }) => this.#socket === socket && this.#lost(code);
    socket.onerror = () => this.#abandon(socket); // a close with 1006 should follow; Node 20's own implementation forgets it
  }

  /** The socket counts as lost, whatever it thinks itself. */
  #abandon(socket) {
    if (this.#socket !== socket) return;
    this.#lost(1006);
    socket.close();
  }

  #lost(code) {
    this.#socket = null;
    const lived = this.#live ? (Date.now() - this.#openedAt) / 1000 : 0;
    const advice = this.#advice(code);
    this.#live = false;
    this.#clearTimers();
    this.#tokensRefused = code === 4401 ? this.#tokensRefused + 1 : 0;
    if (advice.reconnect === "no" || this.#tokensRefused > 1) {
      this.#end(code);
      return;
    }
    if (lived > STABLE) this.#attempt = 0;
    this.#again(advice, code);
  }

  /** What a close code means; but who is replaced by an own attempt, which was lost and yet reached its gateway late, comes back. */
  #advice(code) {
    if (!this.#live && code === 1006) this.#ghostAt = Date.now();
    else if (code === 4409 && Date.now() - this.#ghostAt < GHOST) {
      this.#ghostAt = -Infinity;
      return LOST;
    }
    return CLOSE_CODES[code] ?? LOST;
  }

  #again(advice, code) {
    const seconds = delay(this.#attempt, this.#retryAfter ?? advice.wait);
    this.#attempt += 1;
    this.#after("retry", seconds * 1000, () => this.#open());
    this.#become("retrying", { code, reason: this.#refusal, retryIn: seconds });
  }

  #end(code) {
    this.#closed = true;
    const error = new RefusedError({ code: "ended", message: this.#refusal || "the connection ended" });
    this.#failPending(error);
    for (const stream of this.#streams) stream.end(error);
    this.#become("ended", { code, reason: this.#refusal });
  }

  #become(state, more = {}) {
    this.state = state;
    this.#emit("state", { state, ...more });
  }

  // --- what comes in --------------------------------------------------------------------------------------------------

  #received(socket, text) {
    this.#heardAt = Date.now();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#abandon(socket);
      return;
    }
    const { type, data = {}, seq } = frame;
    this.#emit("message", { out: false, frame: { type, data, seq } });
    if (seq !== undefined) {
      if (seq <= this.#seq) return; // a repeat
      this.#seq = seq;
    }
    if (this.#live && this.#heardAt - this.#beatAt > this.#interval) this.#sendBeat(); // a hidden tab's own timers are slow
    this.#handle(type, data, seq);
  }

  #handle(type, data, seq) {
    if (type === "hello") this.#hello(data);
    else if (type === "reconnect") this.#retryAfter = data.retry_after;
    else if (type === "queue_joined") this.#joined(data);
    else if (type === "snapshot") this.#reconcile(data);
    else if (type === "error" && this.#refused(data)) return;
    else this.#news(type, data);
    this.#tell(type, data, seq);
  }

  /** Hand an event out; it is dealt with after the listeners, or when the readers say so. */
  #tell(type, data, seq) {
    if (!(type in QUIET)) for (const stream of this.#streams) stream.put({ type, data, seq });
    this.#emit(type, data);
    if (seq !== undefined && this.#streams.size === 0) this.#done(seq);
  }

  #done(seq) {
    if (seq > this.#seq) return; // a number from before the store's history changed
    this.#dealtWith = Math.max(this.#dealtWith, seq);
    this.#acknowledgeSoon();
  }

  #acknowledgeSoon() {
    if (!this.#live || this.#timers.has("ack") || this.#dealtWith <= this.#acknowledged) return;
    this.#after("ack", ACK_DELAY, () => {
      this.#acknowledged = this.#dealtWith;
      this.#send("ack", { seq: this.#dealtWith });
    });
  }

  #hello(hello) {
    this.#cancel("hello");
    if (!this.#live) this.connections += 1; // a second hello on a socket: the server begins the session anew
    this.#live = true;
    if (hello.resumed) this.resumed += 1;
    if (hello.epoch !== this.#epoch || !hello.resumed) {
      this.#epoch = hello.epoch;
      this.#seq = hello.seq;
      this.#dealtWith = this.#acknowledged = 0;
    }
    this.#token = hello.resume_token ?? "";
    this.#acknowledgeSoon();
    this.#interval = hello.heartbeat_interval * 1000;
    this.#tokensRefused = 0;
    this.#after("beat", Math.random() * this.#interval, () => this.#beat());
    for (const request of this.#pending.values()) this.#ask(request);
    this.#become("live");
  }

  #joined(data) {
    if (!this.#endedTickets.includes(data.ticket_id)) this.ticket = { ticket_id: data.ticket_id, pool: data.pool, region: data.region, mode: data.mode };
    this.#answer(data.op_id, data);
  }

  /** An event: perhaps the ticket's end, perhaps the answer to a request, by its operation id or by the match that it tells of. */
  #news(type, data) {
    if (type === "match_found" || type === "queue_left") this.#ended(data.ticket_id);
    if (type === "match_cancelled" && data.requeued && data.ticket_id) {
      this.ticket = { ticket_id: data.ticket_id, pool: data.pool, region: data.region, mode: data.mode };
      this.#endedTickets = this.#endedTickets.filter((each) => each !== data.ticket_id);
    }
    if (data?.op_id) this.#answer(data.op_id, data);
    const about = type === "match_found" ? undefined : (data?.match_id ?? data?.session_id);
    if (about === undefined) return;
    for (const [opId, request] of this.#pending) if (request.about === about) this.#answer(opId, data);
  }

  #ended(ticketId) {
    this.#endedTickets.push(ticketId);
    if (this.#endedTickets.length > ENDED_REMEMBERED) this.#endedTickets.shift();
    if (this.ticket?.ticket_id === ticketId) this.ticket = null;
  }

  /** What became of the ticket while we were away. */
  #reconcile({ ticket = null, match = null }) {
    const before = this.ticket;
    this.ticket = ticket;
    if (match && !this.#endedTickets.includes(match.ticket_id) && (this.#pending.size > 0 || before?.ticket_id === match.ticket_id)) {
      this.#endedTickets.push(match.ticket_id);
      this.#tell("match_found", match);
    }
    if (before === null || ticket?.ticket_id === before.ticket_id || this.#endedTickets.includes(before.ticket_id)) return;
    this.#endedTickets.push(before.ticket_id);
    this.#tell("queue_left", { ...before, reason: "lost" });
  }

  // --- requests -------------------------------------------------------------------------------------------------------

  #request(type, wish, about) {
    if (this.#closed) return Promise.reject(new RefusedError({ code: "closed", message: "there is no connection" }));
    this.#operations += 1;
    const opId = wish.op_id ?? `${this.#prefix}-${this.#operations}`;
    return new Promise((resolve, reject) => {
      const request = { type, data: { ...wish, op_id: opId }, about, resolve, reject, sent: 0 };
      this.#pending.set(opId, request);
      if (this.#live) this.#ask(request);
    });
  }

  #ask(request) {
    request.sent += 1;
    this.#send(request.type, request.data);
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
    const opId = error.op_id || (WITHOUT_OPERATION.has(error.code) ? this.#pending.keys().next().value : undefined);
    const request = this.#pending.get(opId);
    if (!request) return false;
    if (error.code === "unavailable" && error.retry_after != null) {
      // nobody knows whether it had its effect; the operation id makes sure that it has it once
      this.#after(opId, error.retry_after * (1 + Math.random()) * 1000, () => this.#live && this.#pending.has(opId) && this.#ask(request));
      return true;
    }
    this.#pending.delete(opId);
    if (request.sent > 1 && error.code === "not_queued" && this.ticket) request.resolve({ ...this.ticket, reason: "left", op_id: opId });
    else request.reject(new RefusedError(error));
    return true;
  }

  #failPending(error) {
    for (const request of this.#pending.values()) request.reject(error);
    this.#pending.clear();
  }

  // --- what goes out --------------------------------------------------------------------------------------------------

  #send(type, data = {}) {
    if (this.#socket?.readyState !== OPEN) return;
    this.#socket.send(JSON.stringify({ type, data }));
    this.#emit("message", { out: true, frame: { type, data } });
  }

  #sendBeat() {
    this.#beatAt = Date.now();
    this.#send("heartbeat");
  }

  #beat() {
    if (Date.now() - this.#heardAt > MISSED_BEATS * this.#interval) {
      this.#abandon(this.#socket);
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
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      work();
    }, ms);
    this.#timers.set(name, timer);
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #clearTimers() {
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
  }
}
