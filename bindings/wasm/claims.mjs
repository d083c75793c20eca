// Reads the claims of a verified key where the module has written them: see `src/output.rs`.
import { readMessagePack } from "./msgpack.mjs";

/** Of `lengths`: where those of the scopes start, and what stands behind the last. */
const SCOPES = 10;
const END = 0xffffffff;

const time = (seconds) => (Number.isNaN(seconds) ? null : seconds);

export function readClaims(memory, len) {
  const { numbers, lengths, output } = memory;
  let count = 0;
  // No more than there are bytes, whatever module this is.
  while (lengths[SCOPES + count] !== END && count < len) count++;
  const metaLen = lengths[9];
  const packed = lengths[5] === 1;
  const texts = output + 4 * (SCOPES + count + 1);
  const end = output + len;
  const textEnd = packed ? end - metaLen : end;
  // Of ASCII there are as many characters as bytes, and all is read at once.
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
  // Most have none: `{}`.
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
