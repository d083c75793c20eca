// Every argument gives a result, or an error with a code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instantiate, instantiateSync } from "../apikee.mjs";
import { codeOf, errorOf, full, load, pinned } from "./support.mjs";

const apikee = load();
const ring = apikee.keyring("secret");
const SERVER = Buffer.alloc(32, 9);
const server = apikee.serverKey(SERVER);

const detached = () => {
  const bytes = new Uint8Array(8).fill(1);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};

/** A view that ends after its buffer. Node 18 has none. */
const tooShort = () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 8 });
  const view = new Uint8Array(buffer, 4, 4);
  if (buffer.resize === undefined) return detached();
  buffer.resize(2);
  return view;
};
/** Values that are neither strings nor bytes. */
const WRONG = [0, 1n, true, {}, [], () => {}, Symbol("s"), new Date(), new ArrayBuffer(4), new Uint16Array(2), detached(), tooShort()];

test("a missing key has its own code", () => {
  for (const key of [undefined, null]) assert.equal(codeOf(() => ring.verify(key)), "MISSING_KEY");
});

test("a value that is neither a string nor bytes is an invalid argument everywhere", () => {
  for (const value of WRONG) {
    const calls = [
      () => ring.verify(value),
      () => apikee.keyring([value]),
      () => apikee.serverKey(value),
      () => server.establish().seal(value),
      () => server.establish().open(value),
      () => ring.issue({ tenant: value }),
      () => ring.issue({ tenant: "t", scopes: [value] }),
      () => ring.issue({ tenant: "t", environment: value }),
    ];
    for (const call of calls) assert.equal(codeOf(call), "INVALID_ARGUMENT", `${typeof value} ${call}`);
  }
});

test("keys of a megabyte are refused, whatever their content", () => {
  for (const [key, code] of [
    ["a".repeat(1 << 20), "INVALID_PREFIX"],
    [`apikee_${"z".repeat(1 << 20)}`, "INVALID_FORMAT"],
    [`apikee_${"z".repeat(1 << 20)}.1`, "DECODE_ERROR"],
    [`apikee_1.${"z".repeat(1 << 20)}`, "DECODE_ERROR"],
    [`apikee_${"\u{1f600}".repeat(1 << 18)}.1`, "DECODE_ERROR"],
    ["\u00e9".repeat(1 << 20), "INVALID_PREFIX"],
  ]) {
    assert.equal(codeOf(() => ring.verify(key)), code);
    assert.equal(codeOf(() => ring.verify(new TextEncoder().encode(key))), code);
  }
});

test("the longest allowed payload is verified, and a longer one is not", () => {
  const issue = (len) => ring.issue({ tenant: "x".repeat(len), id: "i", expiresIn: "never" });
  const around = '{"id":"i","tid":"","scp":[],"env":"production"}'.length;
  const longest = 8192 - around;
  let len = longest;
  while (codeOf(() => issue(len)) === "UNUSABLE_ID") len -= 1;
  assert.ok(len > longest - 8);
  assert.equal(ring.verify(issue(len)).tenant.length, len);
  assert.equal(codeOf(() => issue(longest + 1)), "TOO_LONG");
});

test("keys that are not ASCII are refused", () => {
  const good = ring.issue({ tenant: "t" });
  for (const [key, code] of [
    [`${good}\u00e9`, "DECODE_ERROR"],
    [`\u00e9${good}`, "INVALID_PREFIX"],
    [`${good}\ud800`, "DECODE_ERROR"],
    [`${good}\0`, "DECODE_ERROR"],
    ["", "INVALID_PREFIX"],
  ]) {
    assert.equal(codeOf(() => ring.verify(key)), code);
  }
  assert.equal(codeOf(() => ring.verify(new Uint8Array([0xff, 0xfe]))), "INVALID_PREFIX");
});

test("invalid times are invalid arguments, so no key is valid with them", () => {
  const key = ring.issue({ tenant: "t" });
  for (const now of [NaN, Infinity, "1", {}, new Date(NaN), 1n]) {
    assert.equal(codeOf(() => ring.verify(key, { now })), "INVALID_ARGUMENT");
    assert.equal(codeOf(() => ring.issue({ tenant: "t", expiresAt: now })), "INVALID_ARGUMENT");
    assert.equal(codeOf(() => ring.issue({ tenant: "t", notBefore: now })), "INVALID_ARGUMENT");
  }
  for (const clock of [() => NaN, () => null, () => "now", () => 1e12]) {
    assert.equal(codeOf(() => load({ clock }).keyring("secret").verify(key)), "INVALID_ARGUMENT");
  }
  // An undefined clock means the system's clock.
  assert.equal(load({ clock: () => undefined }).keyring("secret").verify(key).tenant, "t");
});

test("a key is good in its last second, and no longer; leeway makes it longer", () => {
  const [now, expiresAt, notBefore] = [1_760_000_000, 1_760_000_100, 1_760_000_050];
  const key = ring.issue({ tenant: "t", expiresAt, notBefore }, { now });
  const lenient = apikee.keyring("secret", { leeway: 30 });
  for (const [time, code, leniently] of [
    [1_760_000_019.9, "NOT_YET_VALID", "NOT_YET_VALID"],
    [1_760_000_020, "NOT_YET_VALID", undefined],
    [1_760_000_050, undefined, undefined],
    [new Date(1_760_000_100_999), undefined, undefined],
    [1_760_000_101, "EXPIRED", undefined],
    [1_760_000_131, "EXPIRED", "EXPIRED"],
  ]) {
    assert.equal(codeOf(() => ring.verify(key, { now: time })), code, `${time}`);
    assert.equal(codeOf(() => lenient.verify(key, { now: time })), leniently, `${time}`);
  }
  lenient.free();
});

test("scopes that a key lacks are named", () => {
  const key = ring.issue({ tenant: "t", scopes: ["read", "caf\u00e9"] });
  assert.deepEqual(ring.verify(key, { scopes: ["caf\u00e9"] }).scopes, ["read", "caf\u00e9"]);
  assert.throws(() => ring.verify(key, { scopes: ["write", "read", "*"] }), {
    code: "INSUFFICIENT_SCOPE",
    httpStatus: 403,
    missing: ["write", "*"],
  });
  assert.deepEqual(errorOf(() => ring.verify(key, { scopes: ["b", "a", "read", "b", "a", "a"] })).missing, ["b", "a"]);
  assert.equal(codeOf(() => ring.verify(key, { scopes: "read" })), "INVALID_ARGUMENT");
});

test("claims that a key cannot contain are not issued", () => {
  const cycle = {};
  cycle.self = cycle;
  for (const [spec, code] of [
    [{ tenant: "t", meta: "[]" }, "INVALID_META"],
    [{ tenant: "t", meta: '{"a":1,"a":2}' }, "INVALID_META"],
    [{ tenant: "t", meta: [1] }, "INVALID_META"],
    [{ tenant: "t", meta: cycle }, "INVALID_ARGUMENT"],
    [{ tenant: "t", meta: { n: 1n } }, "INVALID_ARGUMENT"],
    [{ tenant: "t", meta: () => {} }, "INVALID_ARGUMENT"],
    [{ tenant: "\ud800" }, "INVALID_ARGUMENT"],
    [{ tenant: "t", expiresIn: "1w" }, "INVALID_DURATION"],
    [{ tenant: "t", expiresIn: "106751991167301d" }, "TIME_OUT_OF_RANGE"],
    [{ tenant: "t", meta: { text: "x".repeat(8192) } }, "TOO_LONG"],
    [{ tenant: "t", expiresIn: "1d", expiresAt: 1 }, "INVALID_ARGUMENT"],
    [{ tenant: "t", scopes: Array(513).fill("s") }, "TOO_LONG"],
    [{ tenant: "t".repeat(1 << 20) }, "TOO_LONG"],
    [{}, "INVALID_ARGUMENT"],
  ]) {
    assert.equal(codeOf(() => ring.issue(spec)), code);
  }
});

test("secrets must exist, be at most eight, and have a length that fits", () => {
  for (const [secrets, code] of [
    ["", "EMPTY_SECRET"],
    [[], "EMPTY_SECRET"],
    [["a", ""], "EMPTY_SECRET"],
    [Array(9).fill("s"), "TOO_MANY_SECRETS"],
    ["s".repeat(1 << 20), "TOO_LONG"],
    [undefined, "INVALID_ARGUMENT"],
    [{}, "INVALID_ARGUMENT"],
    ["\udfff", "INVALID_ARGUMENT"],
  ]) {
    assert.equal(codeOf(() => apikee.keyring(secrets)), code);
  }
  for (const leeway of [-1, 0.5, NaN, 86_401, "1"]) {
    assert.equal(codeOf(() => apikee.keyring("s", { leeway })), "INVALID_ARGUMENT");
  }
});

test("a rotated secret is accepted, and the claims have its index", () => {
  const both = apikee.keyring(["new", new TextEncoder().encode("old")]);
  const old = apikee.keyring("old");
  assert.equal(both.verify(old.issue({ tenant: "t" })).secretIndex, 1);
  assert.equal(codeOf(() => old.verify(both.issue({ tenant: "t" }))), "INVALID_SIGNATURE");
  both.free();
  old.free();
});

test("a freed object is refused, and may be freed again", () => {
  const mine = load();
  const [keys, key] = [mine.keyring("s"), mine.serverKey(new Uint8Array(32).fill(9))];
  const open = key.establish();
  for (const object of [keys, key, open]) {
    object.free();
    object[Symbol.dispose]?.();
  }
  for (const call of [() => keys.verify("apikee_1.1"), () => keys.issue({ tenant: "t" }), () => key.establish(), () => open.seal("{}"), () => open.open("{}")]) {
    assert.equal(codeOf(call), "FREED");
  }
});

test("the number of objects has a limit, and freed places are reused", () => {
  const mine = load();
  const rings = Array.from({ length: 32 }, () => mine.keyring("s"));
  assert.equal(codeOf(() => mine.keyring("s")), "TOO_MANY_OBJECTS");
  rings[5].free();
  assert.equal(codeOf(() => mine.keyring("s")), undefined);
});

test("a session seals once, then opens once, also after an error", () => {
  const session = server.establish();
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
  session.seal("{}");
  assert.equal(codeOf(() => session.seal("{}")), "SESSION_USED");
  assert.equal(codeOf(() => session.open("{}")), "UNSEALED");
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
});

// A request that contains the server's public key instead of its own.
const asIfByServer = (envelope) => envelope.replace(/"epk":"[^"]*"/, `"epk":"${SERVER.toString("base64url")}"`);

test("each fault of an answer has its code, and our own request sent back is not an answer", () => {
  for (const [spoil, code] of [
    [() => "", "MALFORMED_ENVELOPE"],
    [() => "x".repeat(1 << 20), "TOO_LONG"],
    [() => '{"success":true}', "UNSEALED"],
    [(envelope) => envelope.replace('"v":"1"', '"v":"2"'), "UNKNOWN_VERSION"],
    [(envelope) => envelope.replace(/"iv":"./, '"iv":"='), "WRONG_ENCODING"],
    [(envelope) => envelope, "WRONG_KEY"],
    [asIfByServer, "REFLECTED"],
    [(envelope) => asIfByServer(envelope).replace(/"iv":"./, (iv) => iv.slice(0, -1) + (iv.endsWith("A") ? "B" : "A")), "FORGED"],
  ]) {
    const session = server.establish();
    const envelope = session.seal("{}");
    assert.equal(codeOf(() => session.open(spoil(envelope))), code);
    session.free();
  }
});

test("the longest body is sealed, and a longer one is not", () => {
  const session = server.establish();
  assert.equal(codeOf(() => session.seal("x".repeat((64 << 10) + 1))), "TOO_LONG");
  assert.equal(session.seal(new Uint8Array(64 << 10)).length, 93 + Math.ceil(((64 << 10) + 16) * 4 / 3));
});

test("server keys are read in each of their spellings, and in no other spelling", () => {
  const bytes = Buffer.from("132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105", "hex");
  const [plain, url] = [bytes.toString("base64"), bytes.toString("base64url")];
  const spellings = [bytes, bytes.toString("hex"), bytes.toString("hex").toUpperCase(), plain, url, plain.slice(0, -1), `${url}=`];
  const envelopes = spellings.map((spelling) => {
    const mine = load({ random: pinned(new Uint8Array(32).fill(3), new Uint8Array(12).fill(4)) });
    return mine.serverKey(spelling).establish().seal("{}");
  });
  assert.equal(new Set(envelopes).size, 1);
  for (const spelling of ["", " ", `${plain} `, plain.slice(0, 42), `${url.slice(0, 42)}B`, "zz".repeat(32), bytes.subarray(1)]) {
    assert.equal(codeOf(() => apikee.serverKey(spelling)), "INVALID_SERVER_KEY");
  }
});

test("with a generator that draws nothing or fails, there is no key and no session", () => {
  for (const random of [() => {}, async () => {}, (bytes) => bytes.fill(0)]) {
    const mine = load({ random });
    assert.equal(codeOf(() => mine.keyring("s").issue({ tenant: "t" })), "RNG_FAILED");
    assert.equal(codeOf(() => mine.serverKey(new Uint8Array(32).fill(9)).establish()), "RNG_FAILED");
  }
  const cause = new TypeError("no");
  const mine = load({ random: () => { throw cause; } });
  assert.throws(() => mine.keyring("s").issue({ tenant: "t" }), { name: "ApikeeError", code: "RNG_FAILED", cause });
  for (const options of [{ random: 1 }, { clock: "now" }]) assert.equal(codeOf(() => load(options)), "INVALID_ARGUMENT");
});

test("callbacks may call the package", () => {
  const quiet = load({ clock: () => 1_760_000_000, random: (bytes) => bytes.fill(7) }).keyring("secret");
  let keys;
  const again = () => keys?.verify(keys.issue({ tenant: "inner", id: "i" }, { now: 5 }), { now: 5 });
  const busy = load({ clock: () => (again(), 1_760_000_000), random: (bytes) => (bytes.fill(7), again()) });
  keys = busy.keyring("secret");
  const key = keys.issue({ tenant: "outer", scopes: ["s"] });
  assert.equal(key, quiet.issue({ tenant: "outer", scopes: ["s"] }));
  assert.deepEqual(keys.verify(key), quiet.verify(key));
});

/** Values that no call accepts as options. */
const WRONG_OPTIONS = [
  null, 0, 1n, true, "scopes", ["admin"], () => {}, Symbol("s"), new Date(), new Map([["scopes", ["admin"]]]), new Set(),
  new (class { scopes = ["admin"]; })(), Object.create({ scopes: ["admin"] }), Promise.resolve({}), new Uint8Array(1),
  new Proxy({}, { ownKeys: () => { throw new TypeError("no"); } }),
];

test("options are a plain object with known names, in every call", () => {
  const key = ring.issue({ tenant: "t" });
  const calls = {
    load: (options) => load(options),
    keyring: (options) => apikee.keyring("s", options),
    verify: (options) => ring.verify(key, options),
    issue: (options) => ring.issue({ tenant: "t" }, options),
    "a new key": (options) => ring.issue(options),
    validateRequest: (options) => server.establish().validateRequest(options),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const options of WRONG_OPTIONS) assert.equal(codeOf(() => call(options)), "INVALID_ARGUMENT", `${name}: ${typeof options}`);
    for (const wrong of ["scope", "Scopes", "scopes ", "admin", "", "__proto__", "constructor", "hasOwnProperty", "0", Symbol("scopes")]) {
      const options = Object.defineProperty({}, wrong, { value: ["admin"], enumerable: true });
      const error = errorOf(() => call(options));
      assert.equal(error.code, "INVALID_ARGUMENT", `${name}: ${String(wrong)}`);
      assert.ok(error.message.includes(JSON.stringify(String(wrong))), error.message);
    }
    // Members that are not enumerable count, too.
    assert.equal(codeOf(() => call(Object.defineProperty({}, "scope", { value: ["admin"] }))), "INVALID_ARGUMENT");
  }
  assert.match(errorOf(() => ring.verify(key, { scope: ["a"], leway: 1 })).message, /"scope", "leway"; known names: now, scopes$/);
  const long = errorOf(() => ring.verify(key, { [`${"x".repeat(9999)}`]: 1, "\n": 2, a: 3, b: 4, c: 5 })).message;
  assert.ok(long.length < 200 && !long.includes("\n"), long);
  // Known names, in an object without a prototype.
  const options = Object.assign(Object.create(null), { scopes: [], now: new Date() });
  assert.equal(ring.verify(key, options).tenant, "t");
});

test("a scope list that is undefined or not a list is refused, and does not mean no scopes", () => {
  const key = ring.issue({ tenant: "t", scopes: ["read"] });
  for (const scopes of [undefined, null, "read", new String("read"), {}, 7, [undefined], [null], [["read"]], [1], ["\ud800"]]) {
    assert.equal(codeOf(() => ring.verify(key, { scopes })), "INVALID_ARGUMENT");
  }
  const endless = (function* () { for (;;) yield "read"; })();
  assert.equal(codeOf(() => ring.verify(key, { scopes: endless })), "TOO_LONG");
  const broken = (function* () { throw new TypeError("no"); })();
  assert.equal(codeOf(() => ring.verify(key, { scopes: broken })), "INVALID_ARGUMENT");
  assert.equal(ring.verify(key, { scopes: [] }).tenant, "t");
});

test("the getters of a subclass of Uint8Array are not called", () => {
  class Shady extends Uint8Array {
    get length() { throw new Error("called"); }
    get byteLength() { throw new Error("called"); }
    get buffer() { throw new Error("called"); }
    subarray() { throw new Error("called"); }
    includes() { throw new Error("called"); }
  }
  const key = ring.issue({ tenant: "t" });
  const bytes = Shady.from(new TextEncoder().encode(key));
  assert.equal(ring.verify(bytes, { scopes: [] }).tenant, "t");
  assert.equal(apikee.fingerprint(bytes), apikee.fingerprint(key));
  const same = apikee.keyring(["first", Shady.from(new TextEncoder().encode("second"))]);
  assert.equal(same.verify(apikee.keyring("second").issue({ tenant: "u" }), { scopes: [] }).tenant, "u");
});

test("members of a polluted prototype are not options", () => {
  const key = ring.issue({ tenant: "t" }, { now: 1_760_000_000 });
  Object.prototype.now = 1_760_000_000;
  Object.prototype.leeway = 0xffffffff;
  try {
    assert.equal(codeOf(() => apikee.keyring("secret", {}).verify(key, { scopes: [] })), "EXPIRED");
  } finally {
    delete Object.prototype.now;
    delete Object.prototype.leeway;
  }
});

test("a clock or a generator that detaches the argument is an error with a code", () => {
  let taken;
  const take = () => taken && structuredClone(taken.buffer, { transfer: [taken.buffer] });
  const own = load({ clock: () => (take(), 1.8e9), random: (bytes) => (take(), bytes.fill(5)) });
  const [ring, session] = [own.keyring("s"), own.serverKey(new Uint8Array(32).fill(9)).establish()];
  for (const call of [(bytes) => ring.verify(bytes), (bytes) => session.seal(bytes)]) {
    taken = new Uint8Array(9);
    assert.equal(codeOf(() => call(taken)), "INVALID_ARGUMENT");
  }
});

test("an additional argument is refused", () => {
  const key = ring.issue({ tenant: "t" });
  const session = server.establish();
  for (const call of [
    () => ring.verify(key, {}, ["admin"]),
    () => ring.verify(key, undefined, { scopes: ["admin"] }),
    () => ring.issue({ tenant: "t" }, {}, {}),
    () => apikee.keyring("new", {}, "old"),
    () => apikee.serverKey("a", "b"),
    () => apikee.fingerprint(key, 1),
    () => server.establish(1),
    () => session.seal("{}", {}),
  ]) {
    assert.equal(codeOf(call), "INVALID_ARGUMENT");
  }
});

test("the errors for a duration and for an additional argument say what to write", () => {
  const { message } = errorOf(() => ring.issue({ tenant: "t", expiresIn: "1w" }));
  assert.equal(message, "a duration must be like 90d, 24h, 60m, 3600s or never");
  // The crate says the same.
  const source = readFileSync(new URL("../../../src/key/expiry.rs", import.meta.url), "utf8");
  assert.ok(source.includes(`sentences!(InvalidDuration, "${message}");`));
  const tooMany = errorOf(() => apikee.keyring("new", {}, "old"));
  assert.equal(tooMany.message, "too many arguments: pass options as one object");
});

test("a method without its object is refused", async () => {
  const session = server.establish();
  const objects = [apikee, ring, server, session];
  for (const object of objects) {
    const others = objects.filter((other) => other !== object);
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter((name) => name !== "constructor")) {
      for (const given of [undefined, null, 7, {}, new Proxy(object, {}), ...others]) {
        if (name === "readAnswer") await assert.rejects(object[name].call(given, "x"), { code: "INVALID_ARGUMENT" });
        else assert.equal(codeOf(() => object[name].call(given, "x")), "INVALID_ARGUMENT", name);
      }
    }
  }
});

test("a generator, a clock or a module that fails later has one error", async () => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  try {
    const late = async () => { throw new Error("mine"); };
    assert.equal(codeOf(() => load({ random: late }).keyring("secret").issue({ tenant: "t" })), "RNG_FAILED");
    assert.equal(codeOf(() => load({ random: (bytes) => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }) }).keyring("secret").issue({ tenant: "t" })), "RNG_FAILED");
    assert.equal(codeOf(() => load({ clock: late }).keyring("secret").verify("apikee_1.1")), "INVALID_ARGUMENT");
    const thrower = new Proxy({}, { get() { throw new Error("mine"); } });
    assert.equal(codeOf(() => load({ clock: () => thrower }).keyring("secret").verify("apikee_1.1")), "CLOCK_FAILED");
    assert.equal(codeOf(() => instantiateSync(late())), "INVALID_ARGUMENT");
    const session = server.establish();
    session.seal("{}");
    await assert.rejects(session.readAnswer(late()), { name: "ApikeeError" });
    await assert.rejects(instantiate(late(), { clok: 1 }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(instantiate(late()), { code: "LOAD_FAILED" });
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(unhandled, []);
  } finally {
    process.off("unhandledRejection", note);
  }
});

test("a clock at or before 1970 is refused, and so is such a time", () => {
  const key = ring.issue({ tenant: "t", expiresAt: 1_000_000_000 }, { now: 900_000_000 });
  for (const time of [0, -0, -1, new Date(0), new Date(-5), -1e9]) {
    const stopped = load({ clock: () => time }).keyring("secret");
    assert.equal(codeOf(() => stopped.verify(key)), "CLOCK_FAILED");
    assert.equal(codeOf(() => stopped.issue({ tenant: "t" })), "CLOCK_FAILED");
    assert.equal(codeOf(() => ring.verify(key, { now: time })), "INVALID_ARGUMENT");
  }
  const { now } = Date;
  Date.now = () => 0;
  try {
    assert.equal(codeOf(() => ring.verify(key)), "CLOCK_FAILED");
  } finally {
    Date.now = now;
  }
  const cause = new Error("no");
  assert.throws(() => load({ clock: () => { throw cause; } }).keyring("secret").verify(key), { code: "CLOCK_FAILED", cause });
  assert.equal(codeOf(() => ring.verify(key)), "EXPIRED");
});

test("milliseconds are not accepted as seconds", () => {
  for (const time of [Date.now(), 253_402_300_800]) {
    for (const name of ["expiresAt", "notBefore"]) {
      assert.match(errorOf(() => ring.issue({ tenant: "t", [name]: time })).message, /seconds, not milliseconds/);
    }
    assert.equal(codeOf(() => ring.verify(ring.issue({ tenant: "t" }), { now: time })), "INVALID_ARGUMENT");
  }
});

test("empty and null values do not mean a default", () => {
  for (const name of ["environment", "expiresIn", "meta", "id"]) {
    assert.equal(codeOf(() => ring.issue({ tenant: "t", [name]: "" })), "INVALID_ARGUMENT", name);
  }
  for (const name of ["environment", "expiresIn", "expiresAt", "notBefore", "id", "scopes"]) {
    assert.equal(codeOf(() => ring.issue({ tenant: "t", [name]: null })), "INVALID_ARGUMENT", name);
  }
  class Optional { plan = undefined; }
  for (const meta of [new Optional(), Object.create({}), { toJSON: () => ({}) }]) {
    assert.deepEqual(ring.verify(ring.issue({ tenant: "t", meta }), { scopes: [] }).meta, {});
  }
  for (const meta of [new Map([["plan", "pro"]]), new Set(["plan"]), Promise.resolve({ plan: "pro" }), new WeakMap(), new Error("x"), new ArrayBuffer(8), () => {}, undefined]) {
    const code = codeOf(() => ring.issue({ tenant: "t", meta }));
    assert.equal(code, meta === undefined ? undefined : "INVALID_ARGUMENT");
  }
});

test("the error for a missing secret says so", () => {
  for (const [secrets, code] of [
    [undefined, "INVALID_ARGUMENT"], [null, "INVALID_ARGUMENT"], [[], "EMPTY_SECRET"], [["a", undefined], "INVALID_ARGUMENT"],
    [new Set(), "EMPTY_SECRET"],
  ]) {
    const error = errorOf(() => apikee.keyring(secrets));
    assert.deepEqual([error.code, error.message], [code, "no secret was given: is the variable that holds it set?"]);
  }
  for (const secrets of ["", [""], new Uint8Array(0)]) assert.equal(codeOf(() => apikee.keyring(secrets)), "EMPTY_SECRET");
  // Each of these values would become several secrets of one character or number.
  for (const secrets of [new String("abc"), new Uint16Array([97, 98]), new DataView(new ArrayBuffer(4)), new ArrayBuffer(4)]) {
    assert.equal(codeOf(() => apikee.keyring(secrets)), "INVALID_ARGUMENT");
  }
  for (const key of [undefined, null]) assert.match(errorOf(() => apikee.serverKey(key)).message, /no server key was given/);
});

test("a fingerprint is the SHA-256 of the whole key", async () => {
  const { createHash } = await import("node:crypto");
  for (const key of ["", "a", "apikee_one.two", ring.issue({ tenant: "t" }), "caf\u00e9", "x".repeat(55), "x".repeat(56), "x".repeat(64), "x".repeat(9999)]) {
    const expected = createHash("sha256").update(key).digest("hex");
    assert.equal(apikee.fingerprint(key), expected);
    assert.equal(apikee.fingerprint(new TextEncoder().encode(key)), expected);
  }
  for (const [key, code] of [
    [undefined, "MISSING_KEY"], [null, "MISSING_KEY"], [7, "INVALID_ARGUMENT"], ["\ud800", "INVALID_ARGUMENT"],
    [new Uint8Array([0xff]), "INVALID_ARGUMENT"], ["x".repeat(1 << 20), "TOO_LONG"],
  ]) {
    assert.equal(codeOf(() => apikee.fingerprint(key)), code);
  }
});

test("an answer frees the session's place, and a new session replaces the oldest if there is no room", () => {
  const mine = load();
  const own = mine.serverKey(SERVER);
  // Nothing here is freed or garbage-collected, because all sessions are referenced.
  const held = [];
  for (let n = 0; n < 1500; n++) {
    const session = own.establish();
    session.seal("{}");
    assert.equal(codeOf(() => session.open("{}")), "UNSEALED");
    held.push(session);
  }
  const first = own.establish();
  first.seal("{}");
  for (let n = 0; n < 1023; n++) held.push(own.establish());
  // All places are taken, and the first session can still open its answer.
  const second = held.at(-1023);
  assert.equal(codeOf(() => first.open("{}")), "UNSEALED");
  held.push(own.establish(), own.establish());
  assert.match(errorOf(() => second.seal("{}")).message, /replaced by a newer one/);
  for (const call of [() => second.seal("{}"), () => second.open("{}")]) assert.equal(codeOf(call), "FREED");
  // The session that has its place now is not affected.
  for (const session of held) session.free();
  const last = own.establish();
  second.free();
  held[0].free();
  assert.ok(last.seal("{}").length > 0);
});

test("a session survives a failed request, unless the failure used it up", () => {
  const session = server.establish();
  assert.equal(codeOf(() => session.seal("x".repeat((64 << 10) + 1))), "TOO_LONG");
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
  assert.ok(session.seal("{}").length > 0);
  assert.equal(codeOf(() => session.seal("{}")), "SESSION_USED");
  assert.equal(codeOf(() => session.open("x".repeat(1 << 20))), "TOO_LONG");
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
  session.free();
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
});

test("the error for an invalid module says why", async () => {
  const later = async (source) => {
    try {
      await instantiate(source);
    } catch (error) {
      assert.equal(error.name, "ApikeeError");
      return error;
    }
  };
  const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  for (const [source, code, words] of [
    [new Response("gone", { status: 404 }), "LOAD_FAILED", /status 404/],
    [Promise.resolve(new Response(null, { status: 500 })), "LOAD_FAILED", /status 500/],
    [Promise.reject(new TypeError("fetch failed")), "LOAD_FAILED", /could not be read/],
    [new Response("<html>"), "LOAD_FAILED", /not a WebAssembly module/],
    [empty, "LOAD_FAILED", /not Apikee's/],
    [new WebAssembly.Module(empty), "LOAD_FAILED", /not Apikee's/],
    [full.subarray(0, 1000), "LOAD_FAILED", /not a WebAssembly module/],
    [undefined, "INVALID_ARGUMENT", /must be a WebAssembly.Module/],
    ["apikee.wasm", "INVALID_ARGUMENT", /must be a WebAssembly.Module/],
  ]) {
    const error = await later(source);
    assert.equal(error.code, code);
    assert.match(error.message, words);
  }
  for (const source of [empty, new Uint8Array(3), {}, null]) assert.notEqual(codeOf(() => instantiateSync(source)), undefined);
});

test("if a policy blocks the module, the error says what the policy needs", async () => {
  const { compile } = WebAssembly;
  // The messages of Chromium, Firefox, Safari and workerd.
  for (const words of [
    "WebAssembly.compile(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive",
    "call to WebAssembly.compile() blocked by CSP",
    "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script",
    "WebAssembly.compile(): Wasm code generation disallowed by embedder",
  ]) {
    const cause = new WebAssembly.CompileError(words);
    WebAssembly.compile = async () => { throw cause; };
    try {
      await assert.rejects(instantiate(full), { name: "ApikeeError", code: "WASM_BLOCKED", message: /'wasm-unsafe-eval'/, cause });
    } finally {
      WebAssembly.compile = compile;
    }
  }
});
