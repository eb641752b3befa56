/** The demo page: sign in, choose a queue, wait, get matched. One view at a time, chosen by what the session says. */

import { GameSession, signInTicket } from "/sdk/gsm.js";
import { showLive } from "/demo/live.js";
import { element, showTeams, whoIsWanted } from "/demo/board.js";
import { MatchCard } from "/demo/match.js";
import { PartyPanel } from "/demo/party.js";

const $ = (id) => document.getElementById(id);
const play = $("play");
const WIRE = 60; // messages kept in the list
const STATES = { idle: "Not signed in", connecting: "Connecting…", live: "Connected", retrying: "Connection lost", ended: "Disconnected" };
const ENDS = {
  expired: "Nobody fitted in time, so your ticket expired. Try again?",
  disconnected: "You were away for too long, so your ticket was given up.",
  party_changed: "Your party changed, so its ticket was given up. The leader may queue again.",
  quarantined: "Your ticket was set aside because matching it failed. Please try again.",
  pool_deleted: "This pool is gone.",
  queue_removed: "This queue is gone.",
  lost: "Your ticket had ended when the connection came back. Please queue again.",
};

let session = null;
let pools = [];
let queue = null; // { pool, region, mode } of the latest join
let waitingSince = 0;
let wireCount = 0;
const card = new MatchCard(() => session, { onError: (error) => alert(error.message) });
const panel = new PartyPanel(() => session, { onError: (error) => alert(error.message) });

// --- views ------------------------------------------------------------------------------------------------------------

function show(view, news) {
  const changed = play.dataset.view !== view;
  play.dataset.view = view;
  for (const me of document.querySelectorAll("[data-me]")) me.textContent = session?.player ?? "";
  if (queue) for (const where of document.querySelectorAll("[data-where]")) where.textContent = `${queue.pool} · ${queue.mode} · ${queue.region}`;
  document.title = { waiting: "Waiting… · Game Session Manager", matched: "Matched! · Game Session Manager" }[view] ?? "Game Session Manager";
  if (news) $("news").textContent = news;
  if (changed && view !== "sign-in") play.querySelector(`[data-for=${view}] h1`)?.focus({ preventScroll: true });
}

function alert(message, action) {
  const place = $("alert");
  place.replaceChildren(message ?? "");
  place.hidden = !message;
  if (action) {
    const button = element("button", action.text, "quiet");
    button.type = "button";
    button.addEventListener("click", action.run);
    place.append(" ", button);
  }
}

function showLink({ state, retryIn }) {
  $("link").dataset.state = state;
  $("link-text").textContent = state === "retrying" ? `Connection lost, again in ${Math.ceil(retryIn)} s` : STATES[state];
}

function fillOptions(place, name, options, chosen) {
  place.replaceChildren(
    ...options.map(({ value, note }) => {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name, value, checked: value === chosen });
      label.append(input, element("span", value));
      if (note) label.append(element("small", note));
      return label;
    }),
  );
}

function fillQueues() {
  const form = new FormData($("choose"));
  const keep = (name, offered) => (offered.includes(form.get(name)) ? form.get(name) : offered[0]);
  const pool = pools.find(({ name }) => name === form.get("pool")) ?? pools.find(({ name }) => name === "duel") ?? pools[0];
  if (!pool) return;
  fillOptions($("pools"), "pool", pools.map(({ name, team_sizes: sizes }) => ({ value: name, note: sizes.join(" v ") })), pool.name);
  fillOptions($("modes"), "mode", pool.modes.map((value) => ({ value })), keep("mode", pool.modes));
  fillOptions($("regions"), "region", pool.regions.map((value) => ({ value })), keep("region", pool.regions));
}

// --- signing in -------------------------------------------------------------------------------------------------------

async function tokenFor(player) {
  const response = await fetch("/dev/token", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ player }) });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(body.error?.message ?? `sign-in failed with HTTP status ${response.status}`), { final: response.status < 500 });
  return body.token;
}

function signIn(player) {
  session?.close();
  session = new GameSession({ url: location.href, player, ticket: async () => signInTicket(location.href, await tokenFor(player)) });
  session.addEventListener("state", ({ detail }) => onState(detail));
  session.addEventListener("hello", () => onHello(player));
  session.addEventListener("snapshot", ({ detail }) => onSnapshot(detail));
  session.addEventListener("queue_update", ({ detail }) => onQueueUpdate(detail));
  session.addEventListener("match_found", ({ detail }) => onMatch(detail));
  session.addEventListener("match_cancelled", ({ detail }) => onCancelled(detail));
  session.addEventListener("game_state_update", ({ detail }) => card.update(detail));
  session.addEventListener("party_update", ({ detail }) => onParty(detail));
  session.addEventListener("queue_joined", ({ detail }) => onQueuedByLeader(detail));
  session.addEventListener("queue_left", ({ detail }) => onLeft(detail));
  session.addEventListener("error", ({ detail }) => alert(detail.message));
  session.addEventListener("announcement", ({ detail }) => alert(detail.message));
  session.addEventListener("message", ({ detail }) => onMessage(detail));
  session.connect();
}

function signOut() {
  session?.close();
  session = null;
  sessionStorage.removeItem("player");
  alert();
  show("sign-in");
  $("player").select();
}

// --- what the session says --------------------------------------------------------------------------------------------

function onState(detail) {
  showLink(detail);
  if (detail.state === "live") alert();
  if (detail.state === "retrying") alert("The connection was lost. Your place in the queue is kept for a while.", { text: "Try now", run: () => session.retryNow() });
  if (detail.state !== "ended") return;
  if (detail.code === 4409) alert("This name has connected in another window. One window per name.", { text: "Use it here", run: () => session.connect() });
  else {
    sessionStorage.removeItem("player");
    show("sign-in");
    alert(detail.reason || "The server ended the connection.");
  }
}

function onHello(player) {
  sessionStorage.setItem("player", player);
  if (play.dataset.view === "sign-in") show("choose", `Signed in as ${player}`);
}

function onSnapshot({ ticket, match, session: current, party }) {
  panel.begin(party);
  if (ticket) {
    queue = ticket;
    startWaiting(0);
  } else if (match && (current || play.dataset.view === "waiting")) onMatch(match);
  if (current) card.update(current);
}

function onParty(update) {
  const news = panel.update(update);
  if (news) alert(news);
}

/** Our own joins have an operation id, and wait for their answers in `join`. */
function onQueuedByLeader(detail) {
  if (detail.op_id || play.dataset.view === "waiting") return;
  queue = detail;
  startWaiting(0);
}

async function join(wish) {
  alert();
  $("join").disabled = $("again").disabled = true;
  try {
    queue = await session.join(wish);
    if (session.ticket) startWaiting(0);
  } catch (error) {
    alert(error.message);
  } finally {
    $("again").disabled = false;
    $("join").disabled = panel.led;
  }
}

function startWaiting(waited) {
  waitingSince = Date.now() - waited * 1000;
  const pool = pools.find(({ name }) => name === queue.pool);
  $("wanted").textContent = whoIsWanted(pool);
  $("position").textContent = "–";
  $("estimate").textContent = "not known yet";
  $("reason").textContent = "A matcher starts when enough players wait.";
  $("blips").replaceChildren();
  show("waiting", `Waiting in ${queue.pool}, ${queue.mode}, ${queue.region}`);
  tick();
}

function onQueueUpdate(update) {
  if (play.dataset.view !== "waiting") return;
  waitingSince = Date.now() - update.waited * 1000;
  $("position").textContent = `${update.position} of ${update.waiting}`;
  $("estimate").textContent = update.estimated_wait === null || update.estimated_wait === undefined ? "not known yet" : about(update.estimated_wait);
  if (update.reason) $("reason").textContent = sentence(update.reason);
  showBlips(update.waiting - 1);
}

const about = (seconds) => (seconds < 1 ? "any moment" : seconds < 90 ? `about ${Math.round(seconds)} s` : `about ${Math.round(seconds / 60)} min`);

function sentence({ rule, message, next_change: next }) {
  const text = message || `Held back by the rule “${rule}”.`;
  return next ? `${text.replace(/\.?$/, ".")} The search widens in ${Math.ceil(next)} s.` : text;
}

function onMatch(match) {
  const duel = match.teams.every(({ players }) => players.length === 1);
  const against = match.opponent ? ` ${duel ? "with" : "against"} ${match.opponent}` : "";
  $("against").textContent = against;
  showTeams($("teams"), match, session.player);
  $("quality").textContent = `${Math.round(match.quality * 100)} %`;
  $("quality-meter").value = match.quality;
  $("match-waited").textContent = `${match.waited.toFixed(1)} s`;
  $("match-id").textContent = match.match_id;
  queue = { pool: match.pool, region: match.region, mode: match.mode };
  card.found(match);
  show("matched", `Matched${against}`);
}

function onCancelled(detail) {
  const text = card.cancelled(detail);
  if (text === null) return;
  if (detail.requeued) {
    queue = { pool: detail.pool, region: detail.region, mode: detail.mode };
    startWaiting(detail.waited ?? 0);
  } else show("choose", text);
  alert(text);
}

function onLeft({ reason }) {
  if (play.dataset.view !== "waiting") return;
  show("choose", "You left the queue");
  if (ENDS[reason]) alert(ENDS[reason]);
}

async function leave() {
  $("leave").disabled = true;
  try {
    await session.leave();
  } catch (error) {
    if (error.code !== "already_matched") alert(error.message);
  } finally {
    $("leave").disabled = false;
  }
}

// --- what moves -------------------------------------------------------------------------------------------------------

function tick() {
  if (play.dataset.view !== "waiting") return;
  const seconds = Math.max(0, Math.floor((Date.now() - waitingSince) / 1000));
  $("waited").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** One point on the dial for each other ticket that waits in this queue. */
function showBlips(others) {
  const wanted = Math.min(Math.max(0, others), 24);
  const place = $("blips");
  while (place.childElementCount > wanted) place.lastElementChild.remove();
  for (let i = place.childElementCount; i < wanted; i += 1) {
    const angle = i * 2.399963; // the golden angle: no two on top of each other
    const radius = 26 + ((i * 37) % 56);
    const blip = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    blip.setAttribute("cx", 100 + radius * Math.cos(angle));
    blip.setAttribute("cy", 100 + radius * Math.sin(angle));
    blip.setAttribute("r", 4);
    place.append(blip);
  }
}

function onMessage({ out, frame }) {
  wireCount += 1;
  $("wire-count").textContent = `(${wireCount})`;
  const item = element("li", undefined, out ? "out" : "in");
  item.append(element("b", `${out ? "→" : "←"} ${frame.type}`), " ", element("code", JSON.stringify(frame.data)));
  $("wire").prepend(item);
  while ($("wire").childElementCount > WIRE) $("wire").lastElementChild.remove();
}

// --- wiring -----------------------------------------------------------------------------------------------------------

const pick = (words) => words[Math.floor(Math.random() * words.length)];
$("player").value = `${pick(["amber", "brisk", "clever", "dusty", "early", "fleet", "gentle", "keen"])}-${pick(["fox", "heron", "lynx", "otter", "raven", "stoat", "tern", "wren"])}`;

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  alert();
  signIn($("player").value.trim());
});
$("choose").addEventListener("change", fillQueues);
$("choose").addEventListener("submit", (event) => {
  event.preventDefault();
  join(Object.fromEntries(new FormData(event.target)));
});
$("leave").addEventListener("click", leave);
$("again").addEventListener("click", () => join({ pool: queue.pool, region: queue.region, mode: queue.mode }));
$("other").addEventListener("click", () => show("choose"));
for (const button of document.querySelectorAll("[data-sign-out]")) button.addEventListener("click", signOut);
setInterval(tick, 250);
addEventListener("online", () => session?.retryNow());
showLive((found) => {
  pools = found;
  fillQueues();
});
const remembered = sessionStorage.getItem("player");
if (remembered) signIn(remembered);
