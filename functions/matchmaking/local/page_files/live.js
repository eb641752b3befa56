/** The numbers of the whole system: reads the statistics every second while the page is seen, and draws them. */

import { Sparkline } from "/demo/sparkline.js";

const EVERY = 1000; // ms; the server reads them anew once a second
const ADDRESS = "/api/v1/matchmaking/statistics";

/** Sums over all queues, for the four tiles. */
function totals(statistics) {
  const queues = statistics.pools.flatMap((pool) => pool.queues);
  const sum = (field) => queues.reduce((total, queue) => total + queue[field], 0);
  return { connected: statistics.connected, waiting: sum("waiting"), matchers: matchers(statistics), matches: sum("matches_per_minute") };
}

/** A matcher serves all modes of a region, and is counted in each of them. */
function matchers({ pools }) {
  let total = 0;
  for (const pool of pools)
    for (const region of pool.regions) total += Math.max(0, ...pool.queues.filter((queue) => queue.region === region).map((queue) => queue.matchers));
  return total;
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const round = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

class PoolTable {
  #cells = new Map();

  constructor(pool) {
    this.element = element("table");
    this.element.append(element("caption", pool.name));
    const head = element("tr");
    for (const [text, title] of [["Queue"], ["Waiting"], ["Matchers"], ["Per min", "matches per minute"], ["Wait", "mean waiting time of the latest matches"]]) head.append(element("th", text, { scope: "col", ...(title && { title }) }));
    const body = element("tbody");
    for (const { region, mode } of pool.queues) {
      const row = element("tr");
      const name = element("th", region, { scope: "row" });
      name.append(element("span", ` ${mode}`));
      const cells = ["waiting", "matchers", "matches", "wait"].map(() => element("td", "0"));
      row.append(name, ...cells);
      body.append(row);
      this.#cells.set(`${region} ${mode}`, [row, ...cells]);
    }
    const top = element("thead");
    top.append(head);
    this.element.append(top, body);
  }

  show(pool) {
    for (const queue of pool.queues) {
      const [row, waiting, running, matches, wait] = this.#cells.get(`${queue.region} ${queue.mode}`);
      row.classList.toggle("busy", queue.waiting > 0);
      waiting.textContent = queue.waiting;
      running.textContent = queue.matchers;
      matches.textContent = round(queue.matches_per_minute);
      wait.textContent = queue.average_wait === null ? "–" : `${queue.average_wait.toFixed(1)} s`;
    }
  }
}

/**
 * Show the numbers for ever.
 * @param {(pools: object[]) => void} onPools called with the pools, at first and whenever there are others
 */
export function showLive(onPools) {
  const tiles = [...document.querySelectorAll(".tile")].map((tile) => ({
    series: tile.dataset.series,
    number: tile.querySelector(".number"),
    spark: new Sparkline(tile.querySelector(".spark")),
  }));
  const place = document.getElementById("queues");
  const stale = document.getElementById("stale");
  let tables = new Map();
  let shape = "";

  function show(statistics) {
    const now = totals(statistics);
    for (const { series, number, spark } of tiles) {
      number.textContent = round(now[series]);
      spark.push(now[series]);
    }
    const present = JSON.stringify(statistics.pools.map(({ name, regions, modes, team_sizes: sizes }) => [name, regions, modes, sizes]));
    if (present !== shape) {
      shape = present;
      tables = new Map(statistics.pools.map((pool) => [pool.name, new PoolTable(pool)]));
      place.replaceChildren(...[...tables.values()].map((table) => table.element));
      onPools(statistics.pools);
    }
    for (const pool of statistics.pools) tables.get(pool.name).show(pool);
  }

  async function read() {
    try {
      const response = await fetch(ADDRESS, { signal: AbortSignal.timeout(5000) });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      show(await response.json());
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
    setTimeout(next, EVERY);
  }

  function next() {
    if (document.hidden) document.addEventListener("visibilitychange", next, { once: true });
    else read();
  }
  next();
}
