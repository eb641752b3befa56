/** Types of gsm.js. Field names are the wire's. */

export type Advice = "no" | "yes" | "new token";
export const CLOSE_CODES: Readonly<Record<number, { reconnect: Advice; wait: number }>>;

export interface QueuePlace {
  ticket_id: string;
  pool: string;
  region: string;
  mode: string;
}

export interface Wish {
  pool: string;
  region?: string | null;
  mode?: string | null;
  /** Repeating a join under the same operation id has no further effect; made up if not given. */
  op_id?: string;
  /** Measured round-trip milliseconds by region. */
  latency?: Record<string, number>;
  roles?: string[];
  attributes?: Record<string, number | string | string[]>;
}

export interface QueueJoined extends QueuePlace {
  op_id: string;
}

export interface QueueUpdate extends QueuePlace {
  position: number;
  waiting: number;
  waited: number;
  estimated_wait: number | null;
  reason: { rule: string; message?: string; next_change?: number | null } | null;
}

export interface QueueLeft extends QueuePlace {
  /** `left`, `expired`, `disconnected`, `quarantined`, `pool_deleted`; `lost` if the client found it gone when it came back. */
  reason: string;
  op_id?: string;
}

export interface MatchFound {
  match_id: string;
  opponent: string | null;
  timestamp: string;
  teams: { name: string; players: string[]; win_chance: number | null }[];
  pool: string;
  region: string;
  mode: string;
  ticket_id: string;
  quality: number;
  waited: number;
  /** Until when to accept, RFC 3339; null if the pool asks for no ready check. */
  accept_by: string | null;
}

/** A match comes to nothing; if `requeued`, the player waits again, as `ticket_id`, with the whole waiting time. */
export interface MatchCancelled {
  match_id: string;
  reason: string;
  requeued: boolean;
  ticket_id: string | null;
  /** Seconds during which the player cannot queue in this pool. */
  retry_after: number | null;
  pool: string;
  region: string;
  mode: string;
  waited: number;
}

/** A party whole; who is not among the members is in no party (any more). Of two updates of one party the larger `version` is true. */
export interface PartyUpdate {
  party_id: string;
  version: number;
  leader: string;
  members: { player_id: string; connected: boolean }[];
  reason: string;
  invite: string;
  invite_until: string;
  queued: (QueuePlace & { since: string }) | null;
  op_id?: string;
}

export interface Hello {
  player_id: string;
  heartbeat_interval: number;
  epoch: string;
  seq: number;
  generation: number;
  resumed: boolean;
  resume_token?: string;
}

export interface ServerError {
  code: string;
  message: string;
  op_id: string;
  retry_after: number | null;
}

export interface Snapshot {
  ticket: QueuePlace | null;
  match: MatchFound | null;
  session?: unknown;
  party?: PartyUpdate | null;
}

export interface State {
  state: "idle" | "connecting" | "live" | "retrying" | "ended";
  code?: number;
  reason?: string;
  /** Seconds. */
  retryIn?: number;
}

/** The server's messages by type; there may be others from a newer server. */
export interface Messages {
  hello: Hello;
  snapshot: Snapshot;
  queue_joined: QueueJoined;
  queue_update: QueueUpdate;
  queue_left: QueueLeft;
  match_found: MatchFound;
  match_cancelled: MatchCancelled;
  game_state_update: { session_id: string; state: Record<string, unknown>; timestamp: string };
  party_update: PartyUpdate;
  announcement: { message: string; level: string; timestamp: string };
  error: ServerError;
  heartbeat_ack: { timestamp: string };
  reconnect: { retry_after: number };
}

/** What `addEventListener` knows besides the server's messages. */
export interface SessionEvents extends Messages {
  state: State;
  message: { out: boolean; frame: { type: string; data: unknown; seq?: number } };
}

export type Event = { [Type in keyof Messages]: { type: Type; data: Messages[Type]; seq?: number } }[keyof Messages];

export interface WebSocketLike {
  readonly readyState: number;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(text: string): void;
  close(code?: number): void;
}

export interface Options {
  /** The gateway's address, or several, which are tried in turn. */
  url: string | string[];
  /** The token's `sub`. */
  player: string;
  /** Gives a bearer token for each connection, which is exchanged for a single-use ticket; or else */
  token?: () => string | Promise<string>;
  /** gives a fresh single-use sign-in ticket for each connection. */
  ticket?: (url: string) => Promise<string>;
  /** The implementation, where there is none built in: in Node 20 the package `ws`. */
  WebSocket?: new (url: URL, protocols: string[]) => WebSocketLike;
}

/** Seconds until the next try. */
export function delay(attempt: number, wait: number, random?: () => number): number;

/** Exchange a bearer token for a single-use ticket. */
export function signInTicket(url: string, token: string): Promise<string>;

/** A request that the service did not carry out. */
export class RefusedError extends Error {
  code: string;
  /** Seconds after which the same request may work; null if it never will. */
  retryAfter: number | null;
}

export class GameSession extends EventTarget {
  constructor(options: Options);
  readonly player: string;
  readonly ticket: QueuePlace | null;
  readonly state: State["state"];
  readonly connections: number;
  readonly resumed: number;
  connect(): void;
  retryNow(): void;
  close(): void;
  join(wish: Wish): Promise<QueueJoined>;
  leave(): Promise<QueueLeft>;
  accept(matchId: string): Promise<unknown>;
  decline(matchId: string): Promise<unknown>;
  createParty(): Promise<PartyUpdate>;
  joinParty(invite: string): Promise<PartyUpdate>;
  leaveParty(): Promise<PartyUpdate>;
  kick(player: string): Promise<PartyUpdate>;
  promote(player: string): Promise<PartyUpdate>;
  newInvite(): Promise<PartyUpdate>;
  request(type: string, data?: Record<string, unknown>): Promise<unknown>;
  events(): AsyncIterableIterator<Event>;
  addEventListener<Type extends keyof SessionEvents>(type: Type, listener: (event: CustomEvent<SessionEvents[Type]>) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}
