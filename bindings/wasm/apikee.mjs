// @ts-self-types="./apikee.d.mts"
// Apikee keys and envelopes in JavaScript: a thin layer over a WebAssembly module without imports.
//
// The time and the random numbers come from JavaScript, and are passed to the module. All code of the caller (a clock,
// a generator, a getter, an iterator) runs before the first byte is written to the module. So no call runs inside
// another.
import * as checks from "./checks.mjs";
import { readClaims } from "./claims.mjs";
import { ApikeeError, MissingScopesError, PlatformError, invalid } from "./errors.mjs";
import { MAX_BODY, envelopeOf, json, question, readVerdict } from "./exchange.mjs";
import { Memory, VERIFY_DEPTH } from "./memory.mjs";
import { started, startedSync } from "./module.mjs";

export { ApikeeError, MissingScopesError, PlatformError };

/** The longest leeway in seconds: a day, as in C. */
const MAX_LEEWAY = 86_400;

/** Instantiates the module from a `WebAssembly.Module`, its bytes, a `Response` with them, or a promise of these. */
export async function instantiate(source, options) {
  const loading = started(source);
  // Wrong options are the error then.
  loading.catch(() => {});
  const settings = settingsOf(options);
  return new Apikee(await loading, settings);
}

/** Like `instantiate`, but synchronous: from a `WebAssembly.Module` or its bytes. */
export function instantiateSync(source, options) {
  const settings = settingsOf(options);
  return new Apikee(startedSync(source), settings);
}

function settingsOf(options) {
  const { clock, random } = checks.members(options, ["clock", "random"], "options");
  for (const given of [clock, random]) {
    if (given !== undefined && typeof given !== "function") throw invalid("a clock and a generator must be functions");
  }
  return { clock, random };
}

/** Calls a clock or a generator. */
function ask(call, code, what) {
  try {
    return call();
  } catch (cause) {
    throw new ApikeeError(code, `${what} failed`, cause);
  }
}

/** The time in milliseconds since 1970: the argument of the call, or otherwise the clock's time. */
function timeOf(given, clock) {
  if (given !== undefined) {
    const millis = checks.millis(given, "now");
    // A clock that does not run gives such a time, and every expired key would be good.
    if (millis <= 0) throw invalid("now must be after 1970");
    return millis;
  }
  const told = clock === undefined ? undefined : ask(clock, "CLOCK_FAILED", "the clock");
  if (ask(() => checks.isLate(told), "CLOCK_FAILED", "the clock")) throw invalid("the clock must return the time, not a promise");
  const millis = told === undefined ? Date.now() : checks.millis(told, "what the clock says");
  if (millis > 0) return millis;
  throw new ApikeeError("CLOCK_FAILED", "the clock says 1970 or earlier: a Worker has a clock only while it handles a request");
}

function draw(count, random) {
  const bytes = new Uint8Array(count);
  if (random === undefined && typeof globalThis.crypto?.getRandomValues !== "function") {
    throw new ApikeeError("RNG_FAILED", "this runtime has no crypto.getRandomValues: pass the option random");
  }
  // A generator that returns a promise has not filled the array yet.
  const isEmpty = ask(
    () => checks.isLate(random === undefined ? globalThis.crypto.getRandomValues(bytes) : random(bytes)) || bytes.every((byte) => byte === 0),
    "RNG_FAILED",
    "the random number generator",
  );
  if (isEmpty) {
    throw new ApikeeError("RNG_FAILED", "the random number generator has not filled the array: it must do this before it returns");
  }
  return bytes;
}

const FREED = ["FREED", "the object has been freed"];
const GIVEN_UP = ["FREED", "the session was replaced by a newer one: at most 1,024 can exist at once"];
const USED = ["SESSION_USED", "a session seals one request, and then opens one answer"];

/** The state that all objects of a module share. */
class Context {
  /** The states of all sessions in the module, oldest first. */
  sessions = new Set();

  constructor(exports, { clock, random }) {
    this.memory = new Memory(exports);
    this.clock = clock;
    this.random = random;
    // Frees objects that were garbage-collected. Workers with a compatibility date before May 2025 do not have it.
    if (typeof globalThis.FinalizationRegistry === "function") {
      this.forgotten = new FinalizationRegistry((state) => this.release(state, FREED));
    }
  }

  now(given) {
    return timeOf(given, this.clock);
  }

  draw(count) {
    return draw(count, this.random);
  }

  /** Frees an object's place in the module. Later calls fail with `why`. */
  release(state, why) {
    if (state.handle === 0) return;
    state.free(state.handle);
    state.handle = 0;
    state.why = why;
    this.sessions.delete(state);
    this.memory.wipeStack();
  }
}

let contextOf;
let stateOf;

/** An object that has a place in the module until it is freed. */
class Resident {
  #context;
  #state;

  static {
    const checked = (resident, kind) => {
      const has = typeof resident === "object" && resident !== null && #state in resident;
      if (has && resident instanceof kind) return resident;
      throw invalid("a method was called without its object: write object.method(...)");
    };
    // All methods call this first. The handles of two kinds may be the same number.
    contextOf = (resident, kind) => checked(resident, kind).#context;
    stateOf = (resident) => checked(resident, Resident).#state;
  }

  constructor(context, handle, free) {
    this.#context = context;
    this.#state = { handle, free: context.memory.exports[free], why: FREED };
    context.forgotten?.register(this, this.#state, this);
  }

  /** Wipes the object in the module's memory. Further calls do nothing. */
  free() {
    const context = contextOf(this, Resident);
    context.forgotten?.unregister(this);
    context.release(stateOf(this), FREED);
  }
}
Object.defineProperty(Resident.prototype, Symbol.dispose ?? Symbol.for("Symbol.dispose"), {
  value: Resident.prototype.free,
});

function handleOf(resident) {
  const { handle, why } = stateOf(resident);
  if (handle !== 0) return handle;
  throw new ApikeeError(...why);
}

/** One module, with its own memory. */
class Apikee {
  #context;

  constructor(exports, settings) {
    this.#context = new Context(exports, settings);
  }

  /** All methods call this first. */
  static #contextOf(apikee) {
    if (typeof apikee === "object" && apikee !== null && #context in apikee) return apikee.#context;
    throw invalid("a method was called without its object: write apikee.method(...)");
  }

  /** Makes a keyring of secrets: the first signs, and all are accepted. `leeway` is in seconds. */
  keyring(secrets, options, ...more) {
    const context = Apikee.#contextOf(this);
    checks.noMore(more);
    const { leeway = 0 } = checks.members(options, ["leeway"], "options");
    const values = secretsOf(secrets);
    if (!Number.isInteger(leeway) || leeway < 0 || leeway > MAX_LEEWAY) throw invalid("leeway must be a whole number of seconds, at most a day");
    const { memory } = context;
    const call = (len) => memory.exports.keyring(len, leeway);
    return new Keyring(context, memory.run({ put: () => memory.putAll(values), call }), "keyring_free");
  }

  /** The platform's public key: 32 bytes, 64 hexadecimal digits, or base64 of either alphabet, padded or not. */
  serverKey(key, ...more) {
    const context = Apikee.#contextOf(this);
    checks.noMore(more);
    if (key === undefined || key === null) throw invalid("no server key was given: is its variable set?");
    const value = checks.serverKey(key);
    const { memory } = context;
    const handle = memory.run({ put: () => memory.put(value), call: memory.built("server_key").server_key });
    return new ServerKey(context, handle, "server_key_free");
  }

  /** The SHA-256 of a whole key as 64 hexadecimal digits, for storage and deny-lists. The key is not verified. */
  fingerprint(key, ...more) {
    const { memory } = Apikee.#contextOf(this);
    checks.noMore(more);
    if (key === undefined || key === null) throw new ApikeeError("MISSING_KEY", "no key was given");
    const value = checks.textOrBytes(key, "a key");
    return memory.run({
      put: () => memory.put(value),
      call: (len) => memory.exports.fingerprint(len),
      read: (len) => {
        const digest = memory.bytes.subarray(memory.output, memory.output + len);
        return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
      },
    });
  }
}

const NO_SECRET = "no secret was given: is the variable that holds it set?";

function secretsOf(secrets) {
  if (secrets === undefined || secrets === null) throw invalid(NO_SECRET);
  const isBytes = ArrayBuffer.isView(secrets);
  const all = typeof secrets === "string" || isBytes ? [secrets] : checks.list(secrets, "secrets");
  if (all.length === 0) throw new ApikeeError("EMPTY_SECRET", NO_SECRET);
  return all.map((secret) => {
    if (secret === undefined || secret === null) throw invalid(NO_SECRET);
    const value = checks.textOrBytes(secret, "a secret");
    if (value.length === 0) throw new ApikeeError("EMPTY_SECRET", "a secret is empty: is the variable that holds it set?");
    return value;
  });
}

const NEW_KEY = ["tenant", "scopes", "environment", "expiresIn", "expiresAt", "notBefore", "meta", "id"];

const scopesOf = (scopes) => checks.list(scopes, "scopes").map((scope) => checks.text(scope, "a scope"));

/** The secrets that sign and verify keys. */
class Keyring extends Resident {
  /** Verifies a key, and returns its claims. `undefined` and `null` mean that there is no key. */
  verify(key, options, ...more) {
    const context = contextOf(this, Keyring);
    checks.noMore(more);
    const given = checks.members(options, ["now", "scopes"], "options");
    // An undefined list may come from a misspelt name of a route.
    const required = "scopes" in given ? scopesOf(given.scopes) : undefined;
    if (key === undefined || key === null) throw new ApikeeError("MISSING_KEY", "no key was given");
    // The clock may detach the buffer of a key, so its view is made afterwards.
    const millis = context.now(given.now);
    const text = typeof key === "string" ? key : checks.bytes(key, "a key");
    const handle = handleOf(this);
    const claims = verify(context.memory, handle, text, millis);
    if (required !== undefined) {
      const missing = [...new Set(required)].filter((scope) => !claims.scopes.includes(scope));
      if (missing.length > 0) throw new MissingScopesError(missing);
    }
    return claims;
  }

  /** Issues a key. */
  issue(key, options, ...more) {
    const context = contextOf(this, Keyring);
    checks.noMore(more);
    const { tenant, scopes = [], environment, expiresIn, expiresAt, notBefore, meta, id } = checks.members(key, NEW_KEY, "a new key");
    const { now } = checks.members(options, ["now"], "options");
    if (expiresIn !== undefined && expiresAt !== undefined) throw invalid("a new key must not have both expiresIn and expiresAt");
    const values = [
      checks.text(tenant, "tenant"),
      checks.optionalText(environment, "environment"),
      checks.optionalText(expiresIn, "expiresIn"),
      meta === undefined ? "" : json(meta, "meta"),
      checks.optionalText(id, "id"),
      ...scopesOf(scopes),
    ];
    const { memory } = context;
    const { issue } = memory.built("issue");
    const [exp, nbf] = [checks.seconds(expiresAt, "expiresAt"), checks.seconds(notBefore, "notBefore")];
    const millis = context.now(now);
    // Ten bytes for each id that may have to be drawn.
    const random = id === undefined ? context.draw(160) : undefined;
    const handle = handleOf(this);
    return memory.run({
      random,
      put: () => memory.putAll(values),
      call: (len) => issue(handle, len, millis, exp, nbf),
      read: (len) => memory.text(memory.output, memory.output + len),
    });
  }
}

function verify(memory, handle, key, millis) {
  const len = memory.putKey(key);
  const answer = memory.exports.verify(handle, len, millis);
  try {
    return readClaims(memory, memory.check(answer));
  } finally {
    memory.wipe(memory.input, len);
    memory.wipe(memory.payload, Math.min(len, memory.payloadLen));
    memory.wipe(memory.output, Math.max(answer, 0));
    memory.wipeStack(VERIFY_DEPTH);
  }
}

/** The platform's public key. */
class ServerKey extends Resident {
  /** Establishes a session for one request. This takes most of the time, so you can do it ahead of time. */
  establish(...more) {
    const context = contextOf(this, ServerKey);
    checks.noMore(more);
    const call = () => context.memory.exports.establish(handleOf(this));
    const establish = () => context.memory.run({ random: context.draw(32), call });
    let handle;
    try {
      handle = establish();
    } catch (error) {
      // Sessions whose answers never arrive must not take all places.
      const [oldest] = context.sessions;
      if (error.code !== "TOO_MANY_OBJECTS" || oldest === undefined) throw error;
      context.release(oldest, GIVEN_UP);
      handle = establish();
    }
    return new Session(context, handle, "session_free");
  }
}

/** Seals one request, and then opens its answer. */
class Session extends Resident {
  #isSealed = false;
  /** What was asked, with its secrets. No one else may see it. */
  #asked;

  constructor(context, handle, free) {
    super(context, handle, free);
    context.sessions.add(stateOf(this));
  }

  /** Frees the session's place, because it is used up. */
  #useUp() {
    const context = contextOf(this, Session);
    context.forgotten?.unregister(this);
    context.release(stateOf(this), USED);
    this.#asked = undefined;
  }

  /** Seals the request; returns the envelope. */
  seal(plaintext, ...more) {
    const context = contextOf(this, Session);
    checks.noMore(more);
    if (this.#isSealed) throw new ApikeeError(...(stateOf(this).handle === 0 ? stateOf(this).why : USED));
    const { memory } = context;
    // The generator may detach the buffer of a plaintext, so its view is made afterwards.
    const random = context.draw(12);
    const value = checks.textOrBytes(plaintext, "a request");
    const handle = handleOf(this);
    try {
      const envelope = memory.run({
        random,
        put: () => memory.put(value),
        call: (len) => memory.exports.seal(handle, len),
        read: (len) => memory.text(memory.output, memory.output + len),
      });
      this.#isSealed = true;
      return envelope;
    } catch (error) {
      // The module keeps a session whose request is too long.
      if (error.code !== "TOO_LONG") this.#useUp();
      throw error;
    }
  }

  /** Opens the answer; returns its plaintext. The session is used up afterwards, also after an error. */
  open(answer, ...more) {
    contextOf(this, Session);
    return this.#opened("open", answer, more);
  }

  /** Passes the answer to a function of the module, and returns its output. */
  #opened(name, answer, more = []) {
    const { memory } = contextOf(this, Session);
    const isSealed = this.#isSealed;
    try {
      checks.noMore(more);
      const value = checks.textOrBytes(answer, "an answer");
      const handle = handleOf(this);
      if (!isSealed) throw new ApikeeError(...USED);
      return memory.run({
        put: () => memory.put(value),
        call: (len) => memory.exports[name](handle, len),
        read: (len) => memory.bytes.slice(memory.output, memory.output + len),
      });
    } finally {
      if (isSealed) this.#useUp();
    }
  }

  /** Seals the question whether a client may make a request; returns the arguments for `fetch`. */
  validateRequest(given, ...more) {
    const context = contextOf(this, Session);
    checks.noMore(more);
    const { url, headers, plaintext, signedText, asked } = question(given, (now) => context.now(now));
    const body = this.seal(plaintext);
    this.#asked = asked;
    // A redirect would send the project key to another host.
    return { url, method: "POST", headers, body, redirect: "manual", signedText };
  }

  /** Reads the answer to that question; throws unless the platform lets the request through. */
  async readAnswer(response, ...more) {
    contextOf(this, Session);
    const asked = this.#asked;
    let received;
    try {
      if (checks.foreign(() => checks.isLate(response), "the answer")) throw invalid("an answer must be the Response that fetch gave: await it");
      checks.noMore(more);
      handleOf(this);
      if (asked === undefined) throw new ApikeeError("SESSION_USED", "readAnswer needs a request that validateRequest has sealed");
      received = await envelopeOf(response, MAX_BODY);
    } catch (error) {
      if (this.#isSealed) this.#useUp();
      throw error;
    }
    let opened;
    try {
      opened = this.#opened("verdict", received.envelope);
    } catch (error) {
      // A part of an envelope is malformed.
      throw error.code === "MALFORMED_ENVELOPE" ? received.broken ?? error : error;
    }
    return readVerdict(opened, asked);
  }
}
