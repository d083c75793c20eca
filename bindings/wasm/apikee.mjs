// Apikee keys and envelopes in JavaScript: a thin face on a WebAssembly module without imports.
//
// The clock and the random numbers are JavaScript's, and are passed in. Whatever can run code of the caller's (a clock,
// a generator, a getter, an iterator) has run before a byte goes into the module, so no call stands inside another.
import * as checks from "./checks.mjs";
import { readClaims } from "./claims.mjs";
import { ApikeeError, MissingScopesError, invalid } from "./errors.mjs";
import { Memory, VERIFY_DEPTH } from "./memory.mjs";

export { ApikeeError, MissingScopesError };

/** Instantiates the module: a `WebAssembly.Module`, its bytes, or a `Response` with them; or a promise of one. */
export async function instantiate(source, options) {
  let given = await source;
  if (typeof Response === "function" && given instanceof Response) given = await given.arrayBuffer();
  const module = given instanceof WebAssembly.Module ? given : await WebAssembly.compile(given);
  return new Apikee(await WebAssembly.instantiate(module, {}), options);
}

/** As `instantiate`, at once: for a `WebAssembly.Module`, or its bytes. */
export function instantiateSync(source, options) {
  const module = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
  return new Apikee(new WebAssembly.Instance(module, {}), options);
}

/** One module, with its own memory. */
class Apikee {
  #context;

  constructor(instance, { clock, random } = {}) {
    for (const given of [clock, random]) {
      if (given !== undefined && typeof given !== "function") throw invalid("a clock and a generator are functions");
    }
    const fill = random ?? ((bytes) => globalThis.crypto.getRandomValues(bytes));
    this.#context = {
      memory: new Memory(instance.exports),
      /** Milliseconds since 1970. */
      now: (given) => {
        const time = given ?? clock?.();
        return time === undefined ? Date.now() : checks.millis(time);
      },
      draw: (count) => {
        const bytes = new Uint8Array(count);
        fill(bytes);
        // As one that answers later would leave it.
        if (bytes.every((byte) => byte === 0)) throw new ApikeeError("RNG_FAILED", "the generator has drawn nothing");
        return bytes;
      },
      // Frees what its owner has forgotten, some time.
      forgotten: new FinalizationRegistry(({ free, handle }) => free(handle)),
    };
  }

  /** A ring of secrets, newest first: the first signs, and any is accepted. `leeway` is in seconds. */
  keyring(secrets, { leeway = 0 } = {}) {
    const one = typeof secrets === "string" || secrets instanceof Uint8Array;
    const values = (one ? [secrets] : checks.list(secrets, "what a keyring is made of")).map((secret) =>
      checks.textOrBytes(secret, "a secret"),
    );
    if (!Number.isInteger(leeway) || leeway < 0 || leeway > 0xffffffff) throw invalid("a leeway is whole seconds");
    const { memory } = this.#context;
    const call = (len) => memory.exports.keyring(len, leeway);
    return new Keyring(this.#context, memory.run({ put: () => memory.putAll(values), call }), "keyring_free");
  }

  /** The platform's public key: 32 bytes, 64 hexadecimal digits, or base64 of either alphabet, padded or not. */
  serverKey(key) {
    const value = checks.serverKey(key);
    const { memory } = this.#context;
    const handle = memory.run({ put: () => memory.put(value), call: memory.built("server_key").server_key });
    return new ServerKey(this.#context, handle, "server_key_free");
  }
}

let contextOf;
let handleOf;

/** What has a place in the module until it is freed. */
class Resident {
  #context;
  #handle;
  #free;

  static {
    contextOf = (resident) => resident.#context;
    handleOf = (resident) => {
      if (resident.#handle !== 0) return resident.#handle;
      throw new ApikeeError("FREED", "the object has been freed");
    };
  }

  constructor(context, handle, free) {
    this.#context = context;
    this.#handle = handle;
    this.#free = context.memory.exports[free];
    context.forgotten.register(this, { free: this.#free, handle }, this);
  }

  /** Wipes it in the module's memory. It may be called again, and does nothing then. */
  free() {
    if (this.#handle === 0) return;
    const { memory, forgotten } = this.#context;
    forgotten.unregister(this);
    this.#free(this.#handle);
    this.#handle = 0;
    memory.wipeStack();
  }
}
Object.defineProperty(Resident.prototype, Symbol.dispose ?? Symbol.for("Symbol.dispose"), {
  value: Resident.prototype.free,
});

/** The secrets that keys are signed with. */
class Keyring extends Resident {
  /** Verifies a key, and returns its claims. `undefined` and `null` are no key at all. */
  verify(key, { now, scopes } = {}) {
    if (key === undefined || key === null) throw new ApikeeError("MISSING_KEY", "no key was given");
    if (typeof key !== "string") checks.bytes(key, "a key");
    const { memory, now: time } = contextOf(this);
    const millis = time(now);
    const required = scopes === undefined ? undefined : checks.list(scopes, "what a key has to have");
    const handle = handleOf(this);
    const claims = verify(memory, handle, key, millis);
    if (required !== undefined) {
      const missing = required.filter((scope) => !claims.scopes.includes(scope));
      if (missing.length > 0) throw new MissingScopesError(missing);
    }
    return claims;
  }

  /** Issues a key. */
  issue({ tenant, scopes = [], environment, expiresIn, expiresAt, notBefore, meta, id }, { now } = {}) {
    if (expiresIn !== undefined && expiresAt !== undefined) throw invalid("a key expires in, or at, not both");
    const optional = (value, what) => (value === undefined ? "" : checks.text(value, what));
    const values = [
      checks.text(tenant, "a tenant"),
      optional(environment, "an environment"),
      optional(expiresIn, "a duration"),
      meta === undefined ? "" : json(meta),
      optional(id, "an id"),
      ...checks.list(scopes, "what a key is good for").map((scope) => checks.text(scope, "a scope")),
    ];
    const { memory, now: time, draw } = contextOf(this);
    const { issue } = memory.built("issue");
    const [millis, exp, nbf] = [time(now), checks.seconds(expiresAt), checks.seconds(notBefore)];
    // Ten bytes for each of the ids that it may take.
    const random = id === undefined ? draw(160) : undefined;
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
    memory.wipe(memory.payload, len);
    memory.wipe(memory.output, Math.max(answer, 0));
    memory.wipeStack(VERIFY_DEPTH);
  }
}

function json(meta) {
  if (typeof meta === "string") return checks.text(meta, "meta");
  let written;
  try {
    written = JSON.stringify(meta);
  } catch {
    // It has a cycle, or a BigInt.
  }
  return checks.text(written, "meta, as JSON,");
}

/** The platform's public key. */
class ServerKey extends Resident {
  /** Establishes a session for one request: it may be done ahead of time, and takes most of the time there is to spend. */
  establish() {
    const context = contextOf(this);
    const random = context.draw(32);
    const handle = handleOf(this);
    const call = () => context.memory.exports.establish(handle);
    return new Session(context, context.memory.run({ random, call }), "session_free");
  }
}

/** Seals one request, and then opens its answer. */
class Session extends Resident {
  /** Seals the request; returns the envelope. */
  seal(plaintext) {
    const value = checks.textOrBytes(plaintext, "a request");
    const { memory, draw } = contextOf(this);
    const random = draw(12);
    const handle = handleOf(this);
    return memory.run({
      random,
      put: () => memory.put(value),
      call: (len) => memory.exports.seal(handle, len),
      read: (len) => memory.text(memory.output, memory.output + len),
    });
  }

  /** Opens the answer; returns its plaintext. The session is used up, whatever comes of it. */
  open(answer) {
    const value = checks.textOrBytes(answer, "an answer");
    const { memory } = contextOf(this);
    const handle = handleOf(this);
    return memory.run({
      put: () => memory.put(value),
      call: (len) => memory.exports.open(handle, len),
      read: (len) => memory.bytes.slice(memory.output, memory.output + len),
    });
  }
}
