// What arguments have to be. All of it runs before a byte goes into the module.
import { ApikeeError, invalid } from "./errors.mjs";

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** Bytes that can be read: a view whose buffer was given away looks like an empty one. */
export function bytes(value, what) {
  if (!(value instanceof Uint8Array)) throw invalid(`${what} is a string or a Uint8Array`);
  if (value.byteLength === 0) {
    try {
      new Uint8Array(value.buffer);
    } catch {
      throw invalid(`the buffer of ${what} is detached`);
    }
  }
  return value;
}

/** A string that UTF-8 can say: it would have U+FFFD in place of half a pair. */
export function text(value, what) {
  if (typeof value !== "string") throw invalid(`${what} is a string`);
  if (LONE_SURROGATE.test(value)) throw invalid(`${what} has an unpaired surrogate`);
  return value;
}

export const textOrBytes = (value, what) => (typeof value === "string" ? text(value, what) : bytes(value, what));

export function list(value, what) {
  if (typeof value === "string" || typeof value?.[Symbol.iterator] !== "function") throw invalid(`${what} is a list`);
  return [...value];
}

/** Milliseconds since 1970, from a `Date` or from seconds. */
export function millis(time) {
  const value = time instanceof Date ? time.getTime() : typeof time === "number" ? time * 1000 : NaN;
  if (!Number.isFinite(value)) throw invalid("a time is a Date, or seconds since 1970");
  // A double lacks less than that of a fraction of a second.
  return Math.floor(value + 1e-3);
}

/** Whole seconds since 1970; NaN for none. */
export const seconds = (time) => (time === undefined || time === null ? NaN : Math.floor(millis(time) / 1000));

/** The 32 bytes of a public key, from them or from its text, which has to be canonical. */
export function serverKey(key) {
  const value = typeof key === "string" ? fromHex(key) ?? fromBase64(key) : bytes(key, "a server's key");
  if (value?.length === 32) return value;
  throw new ApikeeError("INVALID_SERVER_KEY", "the server's public key is not 32 bytes, 64 hex digits or base64 of them");
}

const fromHex = (text) =>
  /^[0-9a-fA-F]{64}$/.test(text) ? Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)) : undefined;

function fromBase64(text) {
  // 43 digits, of one alphabet, and perhaps the padding; the last stands for four bits, and so leaves two zero.
  if (!/^([0-9A-Za-z+/]{42}|[0-9A-Za-z_-]{42})[048AEIMQUYcgkosw]=?$/.test(text)) return undefined;
  return Uint8Array.from(atob(text.slice(0, 43).replace(/-/g, "+").replace(/_/g, "/")), (byte) => byte.charCodeAt(0));
}
