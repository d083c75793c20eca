// Checks arguments. All checks run before the first byte is written to the module.
//
// Values of another realm (a frame, `node:vm`, Jest, Next.js) are accepted. So these checks do not use `instanceof`,
// but look for features that only real values have.
import { ApikeeError, invalid, tooLong } from "./errors.mjs";

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

const getter = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
const [kindOfView, bufferOfView, offsetOfView, lengthOfView] = [Symbol.toStringTag, "buffer", "byteOffset", "length"].map(
  (name) => getter(Object.getPrototypeOf(Uint8Array.prototype), name),
);
const { keys: keysOfView } = Object.getPrototypeOf(Uint8Array.prototype);
const lengthOfBuffer = getter(ArrayBuffer.prototype, "byteLength");
const { getTime } = Date.prototype;
const unboxed = String.prototype.valueOf;

/** Whether `call` accepts the value: it throws for imitations. */
function survives(call, value) {
  try {
    call.call(value);
    return true;
  } catch {
    return false;
  }
}

const isDate = (value) => typeof value === "object" && survives(getTime, value);

/** Whether the value is a compiled module. */
export const isModule = (value) => survives(() => WebAssembly.Module.exports(value));

/** Whether a module can be compiled from the value. */
export const isBytes = (value) => ArrayBuffer.isView(value) || survives(lengthOfBuffer, value);

/** Whether the value is an object without a class. Its prototype may be the `Object.prototype` of another realm. */
function isPlain(value) {
  const prototype = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  return prototype === null || (prototype !== undefined && Object.getPrototypeOf(prototype) === null);
}

/** Calls code that may belong to the caller: a getter, an iterator, a trap of a proxy. */
export function foreign(call, what) {
  try {
    return call();
  } catch (cause) {
    throw cause instanceof ApikeeError ? cause : invalid(`${what} could not be read`, cause);
  }
}

/** Whether the value is a promise. Its failure is ignored: an unhandled one would end the process. */
export function isLate(value) {
  if (typeof value?.then !== "function") return false;
  Promise.resolve(value).catch(() => {});
  return true;
}

const NOTHING = Object.freeze(Object.create(null));

/** At most 40 characters of a name, without control characters. */
function quoted(name) {
  const text = String(name);
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}

/**
 * The members of an options object such as `{ now, scopes }`. Unknown names are refused, because they may be misspelt.
 * Members of the prototype are ignored.
 */
export function members(given, known, what) {
  if (given === undefined) return NOTHING;
  return foreign(() => {
    if (!isPlain(given)) throw invalid(`${what} must be a plain object`);
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

/** Refuses additional arguments. */
export function noMore(more) {
  if (more.length > 0) throw invalid("too many arguments: pass options as one object");
}

/** Checks for readable bytes, and returns a view of them. (A view of a transferred buffer looks like an empty view.) */
export function bytes(value, what) {
  if (value === null || typeof value !== "object" || kindOfView.call(value) !== "Uint8Array") {
    throw invalid(`${what} must be a string or a Uint8Array`);
  }
  try {
    // It throws if the buffer is gone, or was made too short.
    keysOfView.call(value);
    // The getters of a subclass are code of the caller. They are not called.
    return new Uint8Array(bufferOfView.call(value), offsetOfView.call(value), lengthOfView.call(value));
  } catch {
    throw invalid(`the buffer of ${what} is detached or too short`);
  }
}

/** Checks for a string that UTF-8 can represent: half a surrogate pair would become U+FFFD. */
export function text(value, what) {
  if (typeof value !== "string") throw invalid(`${what} must be a string`);
  if (LONE_SURROGATE.test(value)) throw invalid(`${what} has an unpaired surrogate`);
  return value;
}

/** Checks for a string that is not empty: an empty string looks like a request for the default. */
export function someText(value, what) {
  if (text(value, what) === "") throw invalid(`${what} is empty: leave it out`);
  return value;
}

/** A string that may be left out, but must not be empty. */
export const optionalText = (value, what) => (value === undefined ? "" : someText(value, what));

export const textOrBytes = (value, what) => (typeof value === "string" ? text(value, what) : bytes(value, what));

/** A limit above the length of any valid list. */
const MAX_LIST = 4096;

export function list(value, what) {
  return foreign(() => {
    // `new String("abc")` would be three strings. The test needs an exception, so arrays skip it.
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

/** The last second of the year 9999. A number of milliseconds, taken as seconds, is after it. */
const LAST_SECOND = 253_402_300_799;

/** Milliseconds since 1970, from a `Date` or from seconds. */
export function millis(time, what) {
  const value = typeof time === "number" ? time * 1000 : isDate(time) ? getTime.call(time) : NaN;
  if (!Number.isFinite(value)) throw invalid(`${what} must be a Date, or a number of seconds since 1970`);
  if (value >= (LAST_SECOND + 1) * 1000) throw invalid(`${what} is after the year 9999: numbers are seconds, not milliseconds`);
  // Corrects the rounding error of a double with a fraction of a second.
  return Math.floor(value + 1e-3);
}

/** Whole seconds since 1970; NaN means no time. */
export const seconds = (time, what) => (time === undefined ? NaN : Math.floor(millis(time, what) / 1000));

/** The 32 bytes of a public key, from bytes or from canonical text. */
export function serverKey(key) {
  const value = typeof key === "string" ? fromHex(key) ?? fromBase64(key) : bytes(key, "a server's key");
  if (value?.length === 32) return value;
  throw new ApikeeError("INVALID_SERVER_KEY", "the server's public key is not 32 bytes, 64 hex digits or base64 of them");
}

const fromHex = (text) =>
  /^[0-9a-fA-F]{64}$/.test(text) ? Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)) : undefined;

function fromBase64(text) {
  // 43 digits of one alphabet, with or without padding. The last digit has only four significant bits: the other two
  // must be zero.
  if (!/^([0-9A-Za-z+/]{42}|[0-9A-Za-z_-]{42})[048AEIMQUYcgkosw]=?$/.test(text)) return undefined;
  return Uint8Array.from(atob(text.slice(0, 43).replace(/-/g, "+").replace(/_/g, "/")), (byte) => byte.charCodeAt(0));
}
