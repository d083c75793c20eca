// Whatever is passed in, what comes out is an answer or an error with a code.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, load, pinned } from "./support.mjs";

const apikee = load();
const ring = apikee.keyring("secret");
const SERVER = Buffer.alloc(32, 9);
const server = apikee.serverKey(SERVER);

const detached = () => {
  const bytes = new Uint8Array(8).fill(1);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};

/** What is neither a string nor bytes, and cannot be read. */
const WRONG = [0, 1n, true, {}, [], () => {}, Symbol("s"), new Date(), new ArrayBuffer(4), new Uint16Array(2), detached()];

test("no key at all has its own code", () => {
  for (const key of [undefined, null]) assert.equal(codeOf(() => ring.verify(key)), "MISSING_KEY");
});

test("what is no string and no bytes is an invalid argument everywhere", () => {
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

test("keys of a megabyte are refused at once, whatever they are made of", () => {
  const start = performance.now();
  for (const [key, code] of [
    ["a".repeat(1 << 20), "INVALID_PREFIX"],
    [`apikee_${"z".repeat(1 << 20)}`, "DECODE_ERROR"],
    [`apikee_${"z".repeat(1 << 20)}.1`, "DECODE_ERROR"],
    [`apikee_1.${"z".repeat(1 << 20)}`, "DECODE_ERROR"],
    [`apikee_${"\u{1f600}".repeat(1 << 18)}.1`, "DECODE_ERROR"],
    ["\u00e9".repeat(1 << 20), "INVALID_PREFIX"],
  ]) {
    assert.equal(codeOf(() => ring.verify(key)), code);
    assert.equal(codeOf(() => ring.verify(new TextEncoder().encode(key))), code);
  }
  assert.ok(performance.now() - start < 1000);
});

test("the longest payload that there is is verified, and the next is not", () => {
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

test("times that are none are invalid arguments, and so nothing is valid by them", () => {
  const key = ring.issue({ tenant: "t" });
  for (const now of [NaN, Infinity, "1", {}, new Date(NaN), 1n]) {
    assert.equal(codeOf(() => ring.verify(key, { now })), "INVALID_ARGUMENT");
    assert.equal(codeOf(() => ring.issue({ tenant: "t", expiresAt: now })), "INVALID_ARGUMENT");
    assert.equal(codeOf(() => ring.issue({ tenant: "t", notBefore: now })), "INVALID_ARGUMENT");
  }
  for (const clock of [() => NaN, () => null, () => "now"]) {
    assert.equal(codeOf(() => load({ clock }).keyring("secret").verify(key)), "INVALID_ARGUMENT");
  }
  // One that says nothing leaves it to the system's.
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
  assert.equal(codeOf(() => ring.verify(key, { scopes: "read" })), "INVALID_ARGUMENT");
});

test("what a key cannot say is not issued", () => {
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
    [{ tenant: "t", expiresIn: "1d", expiresAt: 1 }, "INVALID_ARGUMENT"],
    [{ tenant: "t", scopes: Array(513).fill("s") }, "TOO_LONG"],
    [{ tenant: "t".repeat(1 << 20) }, "TOO_LONG"],
    [{}, "INVALID_ARGUMENT"],
  ]) {
    assert.equal(codeOf(() => ring.issue(spec)), code);
  }
});

test("secrets have to be there, eight at most, and of a length that fits", () => {
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
  for (const leeway of [-1, 0.5, NaN, 2 ** 32, "1"]) {
    assert.equal(codeOf(() => apikee.keyring("s", { leeway })), "INVALID_ARGUMENT");
  }
});

test("a rotated secret is accepted, and says which it was", () => {
  const both = apikee.keyring(["new", new TextEncoder().encode("old")]);
  const old = apikee.keyring("old");
  assert.equal(both.verify(old.issue({ tenant: "t" })).secretIndex, 1);
  assert.equal(codeOf(() => old.verify(both.issue({ tenant: "t" }))), "INVALID_SIGNATURE");
  both.free();
  old.free();
});

test("what was freed is refused, and may be freed again", () => {
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

test("there are so many objects, and places that are freed are used again", () => {
  const mine = load();
  const rings = Array.from({ length: 32 }, () => mine.keyring("s"));
  assert.equal(codeOf(() => mine.keyring("s")), "TOO_MANY_OBJECTS");
  rings[5].free();
  assert.equal(codeOf(() => mine.keyring("s")), undefined);
});

test("a session seals once, then opens once, whatever comes of it", () => {
  const session = server.establish();
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
  session.seal("{}");
  assert.equal(codeOf(() => session.seal("{}")), "SESSION_USED");
  assert.equal(codeOf(() => session.open("{}")), "UNSEALED");
  assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
});

// A request with the server's public key in place of its own.
const asIfByServer = (envelope) => envelope.replace(/"epk":"[^"]*"/, `"epk":"${SERVER.toString("base64url")}"`);

test("each fault of an answer has its code, and our own request sent back is none of the platform's", () => {
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

test("the longest body is sealed, and the next is not", () => {
  const session = server.establish();
  assert.equal(codeOf(() => session.seal("x".repeat((64 << 10) + 1))), "TOO_LONG");
  assert.equal(session.seal(new Uint8Array(64 << 10)).length, 93 + Math.ceil(((64 << 10) + 16) * 4 / 3));
});

test("server keys are read in each of their spellings, and in no other", () => {
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

test("a generator that draws nothing, or fails, makes no key and no session", () => {
  for (const random of [() => {}, async () => {}, (bytes) => bytes.fill(0)]) {
    const mine = load({ random });
    assert.equal(codeOf(() => mine.keyring("s").issue({ tenant: "t" })), "RNG_FAILED");
    assert.equal(codeOf(() => mine.serverKey(new Uint8Array(32).fill(9)).establish()), "RNG_FAILED");
  }
  const mine = load({ random: () => { throw new TypeError("no"); } });
  assert.throws(() => mine.keyring("s").issue({ tenant: "t" }), TypeError);
  for (const options of [{ random: 1 }, { clock: "now" }]) assert.equal(codeOf(() => load(options)), "INVALID_ARGUMENT");
});

test("callbacks that call back disturb nothing", () => {
  const quiet = load({ clock: () => 1_760_000_000, random: (bytes) => bytes.fill(7) }).keyring("secret");
  let keys;
  const again = () => keys?.verify(keys.issue({ tenant: "inner", id: "i" }, { now: 5 }), { now: 5 });
  const busy = load({ clock: () => (again(), 1_760_000_000), random: (bytes) => (bytes.fill(7), again()) });
  keys = busy.keyring("secret");
  const key = keys.issue({ tenant: "outer", scopes: ["s"] });
  assert.equal(key, quiet.issue({ tenant: "outer", scopes: ["s"] }));
  assert.deepEqual(keys.verify(key), quiet.verify(key));
});
