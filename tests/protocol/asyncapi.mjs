// Reads an AsyncAPI document as its own parser does; prints what the parser finds wrong, and how much it found in it.
//   node asyncapi.mjs <the parser's folder> <document>

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , folder, path] = process.argv;
const { Parser } = createRequire(import.meta.url)(folder);
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"));
const errors = diagnostics.filter(({ severity }) => severity === 0).map(({ path, message }) => `${path.join(".")}: ${message}`);
const found = document && { version: document.version(), messages: document.allMessages().all().length, operations: document.allOperations().all().length };
console.log(JSON.stringify({ errors, found }));
