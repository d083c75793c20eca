// Reads the claims of a verified key from the module's output: see `src/output.rs`.
import { readMessagePack } from "./msgpack.mjs";

/** The index in `lengths` of the first scope's length, and the mark after the last scope's length. */
const SCOPES = 10;
const END = 0xffffffff;

const time = (seconds) => (Number.isNaN(seconds) ? null : seconds);

export function readClaims(memory, len) {
  const { numbers, lengths, output } = memory;
  let count = 0;
  // At most one scope per byte, so that a wrong module cannot cause an endless loop.
  while (lengths[SCOPES + count] !== END && count < len) count++;
  const metaLen = lengths[9];
  const packed = lengths[5] === 1;
  const texts = output + 4 * (SCOPES + count + 1);
  const end = output + len;
  const textEnd = packed ? end - metaLen : end;
  // ASCII text has as many characters as bytes. Then one decoding is enough for all texts.
  const all = memory.text(texts, textEnd);
  const ascii = texts + all.length === textEnd;
  let at = 0;
  const text = (len) => {
    const start = at;
    at += len;
    return ascii ? all.slice(start, at) : memory.text(texts + start, texts + at);
  };
  const scopes = [];
  for (let scope = 0; scope < count; scope++) scopes.push(text(lengths[SCOPES + scope]));
  const id = text(lengths[6]);
  const tenant = text(lengths[7]);
  const environment = text(lengths[8]);
  let meta = {};
  // Most keys have no meta: `{}`.
  if (packed) meta = readMessagePack(memory.bytes.slice(textEnd, end));
  else if (metaLen > 2) meta = JSON.parse(text(metaLen));
  return {
    id,
    tenant,
    scopes,
    environment,
    expiresAt: time(numbers[0]),
    notBefore: time(numbers[1]),
    meta,
    secretIndex: lengths[4],
  };
}
