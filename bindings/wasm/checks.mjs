// What arguments have to be. All of it runs before a byte goes into the module.
//
// Values of another realm (a frame, `node:vm`, Jest, Next.js) are as good as those of this one, so nothing here asks
// for `instanceof`: it looks for what only the real ones have.
import { ApikeeError, invalid, tooLong } from "./errors.mjs";

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

const getter = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
const kindOfView = getter(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
const lengthOfBuffer = getter(ArrayBuffer.prototype, "byteLength");
const { getTime } = Date.prototype;
const unboxed = String.prototype.valueOf;

/** Whether a call that only a real one survives does. */
function survives(call, value) {
  try {
    call.call(value);
    return true;
  } catch {
    return false;
  }
}

const isDate = (value) => typeof value === "object" && survives(getTime, value);

/** Whether it is a compiled module. */
export const isModule = (value) => survives(() => WebAssembly.Module.exports(value));

/** Whether it is what a module can be compiled from. */
export const isBytes = (value) => ArrayBuffer.isView(value) || survives(lengthOfBuffer, value);

/** Calls code that may be the caller's: a getter, an iterator, a trap of a proxy. */
function foreign(call, what) {
  try {
    return call();
  } catch (cause) {
    throw cause instanceof ApikeeError ? cause : invalid(`${what} could not be read`, cause);
  }
}

const NOTHING = Object.freeze(Object.create(null));

/** At most 40 characters of a name, and no control character. */
function quoted(name) {
  const text = String(name);
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}

/**
 * The members of an object that is written for one call, `{ now, scopes }`. A name that is not known is refused, since
 * it may be one that was misspelt. What stands in its prototype does not count.
 */
export function members(given, known, what) {
  if (given === undefined) return NOTHING;
  return foreign(() => {
    const prototype = typeof given === "object" && given !== null ? Object.getPrototypeOf(given) : undefined;
    // That of this realm or another, or none.
    const plain = prototype === null || (prototype !== undefined && Object.getPrototypeOf(prototype) === null);
    if (!plain) throw invalid(`${what} must be a plain object`);
    const found = Object.create(null);
    const unknown = [];
    for (const name of Reflect.ownKeys(given)) {
      if (known.includes(name)) found[name] = given[name];
      else unknown.push(name);
    }
    if (unknown.length === 0) return found;
    const names = unknown.slice(0, 4).map(quoted).join(", ");
    throw invalid(`${what} cannot have ${names}${unknown.length > 4 ? ", ..." : ""}; known names: ${known.join(", ")}`);
  }, what);
}

/** Refuses arguments that a call does not have. */
export function noMore(more) {
  if (more.length > 0) throw invalid("there are too many arguments: options are one object");
}

/** Bytes that can be read: a view whose buffer was given away looks like an empty one. */
export function bytes(value, what) {
  if (value === null || typeof value !== "object" || kindOfView.call(value) !== "Uint8Array") {
    throw invalid(`${what} must be a string or a Uint8Array`);
  }
  if (value.byteLength === 0) {
    try {
      new Uint8Array(value.buffer);
    } catch {
      throw invalid(`the buffer of ${what} is detached`);
    }
  }
  return value;
}

/** A string that UTF-8 can say: it would have U+FFFD instead of half a pair. */
export function text(value, what) {
  if (typeof value !== "string") throw invalid(`${what} must be a string`);
  if (LONE_SURROGATE.test(value)) throw invalid(`${what} has an unpaired surrogate`);
  return value;
}

/** A string that says something: an empty one looks like a default that was asked for. */
export function someText(value, what) {
  if (text(value, what) === "") throw invalid(`${what} is empty: leave it out`);
  return value;
}

/** A string that may be left out, but not be empty. */
export const optionalText = (value, what) => (value === undefined ? "" : someText(value, what));

export const textOrBytes = (value, what) => (typeof value === "string" ? text(value, what) : bytes(value, what));

/** More than any list has. */
const MAX_LIST = 4096;

export function list(value, what) {
  return foreign(() => {
    // `new String("abc")` would be three. To find that out takes an exception, so not for arrays.
    const isText = typeof value === "string" || (!Array.isArray(value) && survives(unboxed, value));
    if (isText || typeof value?.[Symbol.iterator] !== "function") throw invalid(`${what} must be a list`);
    const found = [];
    for (const element of value) {
      if (found.length === MAX_LIST) throw tooLong();
      found.push(element);
    }
    return found;
  }, what);
}

/** The last second of the year 9999. Milliseconds that were taken for seconds are behind it. */
const LAST_SECOND = 253_402_300_799;

/** Milliseconds since 1970, from a `Date` or from seconds. */
export function millis(time, what) {
  const value = typeof time === "number" ? time * 1000 : isDate(time) ? getTime.call(time) : NaN;
  if (!Number.isFinite(value)) throw invalid(`${what} must be a Date, or a number of seconds since 1970`);
  if (value >= (LAST_SECOND + 1) * 1000) throw invalid(`${what} is after the year 9999: numbers are seconds, not milliseconds`);
  // A double lacks less than that of a fraction of a second.
  return Math.floor(value + 1e-3);
}

/** Whole seconds since 1970; NaN for none. */
export const seconds = (time, what) => (time === undefined ? NaN : Math.floor(millis(time, what) / 1000));

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
