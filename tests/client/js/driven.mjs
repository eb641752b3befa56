// A GameSession in Node, driven by lines of JSON on standard input, telling what happens by lines of JSON on standard output.
//   node driven.mjs <gsm.js> <options as JSON> [<module whose default export is a WebSocket implementation>]

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , client, options, implementation] = process.argv;
const { GameSession } = await import(pathToFileURL(client));
const { token, ticket, ...rest } = JSON.parse(options);
if (implementation) rest.WebSocket = (await import(pathToFileURL(implementation))).default;
const session = new GameSession({ ...rest, ...(token ? { token: () => token } : { ticket: async () => ticket }) });
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

session.addEventListener("state", ({ detail }) => tell({ state: detail.state, code: detail.code, retryIn: detail.retryIn }));
session.addEventListener("from_the_future", ({ detail }) => tell({ listener: detail }));
process.on("unhandledRejection", (error) => tell({ unhandled: String(error) }));

async function read() {
  try {
    for await (const event of session.events()) tell({ event });
    tell({ ended: null });
  } catch (error) {
    tell({ ended: error.code });
  }
}

const commands = {
  connect: () => session.connect(),
  read,
  look: () => tell({ ticket: session.ticket, connections: session.connections, resumed: session.resumed }),
  close: () => session.close(),
  ask: async ([method, ...words]) => {
    try {
      tell({ answer: await session[method](...words) });
    } catch (error) {
      tell({ refused: error.code, retryAfter: error.retryAfter });
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, words] = JSON.parse(line);
  commands[command](words);
}
process.exit(0);
