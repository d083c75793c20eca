// Tests the modules: their size, their imports, and that no data stays in memory.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instantiate, instantiateSync } from "../apikee.mjs";
import { failure } from "../errors.mjs";
import { Memory, VERIFY_DEPTH } from "../memory.mjs";
import { codeOf, full, hex, load, pinned, vectors, verifyOnly } from "./support.mjs";

const LIMITS = [["apikee.wasm", full, Number(process.env.APIKEE_WASM_LIMIT)], ["apikee-verify.wasm", verifyOnly, Number(process.env.APIKEE_WASM_VERIFY_LIMIT)]];

for (const [name, bytes, limit] of LIMITS) {
  test(`${name} has ${bytes.length} bytes, at most ${limit}`, () => assert.ok(bytes.length <= limit));

  test(`${name} has no imports`, () => assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []));

  test(`${name} has a memory that cannot grow`, () => {
    const { memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports;
    assert.throws(() => memory.grow(1), RangeError);
  });
}

test("a module is loaded from bytes, a compiled module, a response or a blob", async () => {
  const response = new Response(full, { headers: { "content-type": "application/wasm" } });
  const array = full.buffer.slice(full.byteOffset, full.byteOffset + full.length);
  for (const source of [full, array, new DataView(array), new WebAssembly.Module(full), response, new Blob([full]), Promise.resolve(full)]) {
    const ring = (await instantiate(source)).keyring("secret");
    assert.equal(ring.verify(ring.issue({ tenant: "t" })).tenant, "t");
  }
});

test("failures have the same numbers in Rust and in JavaScript", () => {
  const source = readFileSync(new URL("../src/failure.rs", import.meta.url), "utf8");
  const named = [...source.matchAll(/^ {4}(\w+) = (-\d+),$/gm)];
  assert.equal(named.length, 28);
  for (const [, name, number] of named) {
    assert.equal(failure(Number(number)).code, name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase());
  }
});

test("the smaller module only verifies", () => {
  const apikee = instantiateSync(verifyOnly);
  assert.equal(codeOf(() => apikee.keyring("secret").issue({ tenant: "t" })), "NOT_IN_THIS_BUILD");
  assert.equal(codeOf(() => apikee.serverKey(new Uint8Array(32).fill(9))), "NOT_IN_THIS_BUILD");
});

test("100,000 calls leave the memory as it was", () => {
  const apikee = load();
  const server = apikee.serverKey(new Uint8Array(32).fill(9));
  const round = (count) => {
    for (let n = 0; n < count; n++) {
      const ring = apikee.keyring("secret");
      const key = n % 10 === 0 ? ring.issue({ tenant: "t", meta: { n } }) : "apikee_1.1";
      codeOf(() => ring.verify(key));
      ring.free();
      if (n % 100 === 0) {
        const session = server.establish();
        session.seal("{}");
        session.free();
      }
    }
    gc();
    return process.memoryUsage().heapUsed;
  };
  const before = round(30_000);
  const after = round(100_000);
  // At most ten bytes for each call: less than an object.
  assert.ok(after - before < 1024 * 1024, `${after - before}`);
});

test("forgotten objects are freed at some time", async () => {
  const apikee = load();
  // There is room for 32 keyrings.
  for (let batch = 0; batch < 8; batch++) {
    for (let n = 0; n < 8; n++) apikee.keyring("secret");
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

/** A module with access to its memory. */
function open() {
  let [memory, exports] = [];
  const instance = WebAssembly.Instance;
  WebAssembly.Instance = function (...given) {
    const made = new instance(...given);
    ({ exports } = made);
    memory = new Uint8Array(exports.memory.buffer);
    return made;
  };
  try {
    return { load: (options) => [load(options), memory, exports] };
  } finally {
    queueMicrotask(() => (WebAssembly.Instance = instance));
  }
}

const holds = (memory, secret) => Buffer.from(memory.buffer).includes(Buffer.from(secret));

test("no part of a secret, a key, a request or an answer stays in the memory", async () => {
  const { server_public, ephemeral_private, envelope, plaintext } = vectors("envelopes").find(
    ({ kind, ok, plaintext }) => kind === "response" && ok && plaintext.length > 20,
  );
  const { load } = open();
  const [apikee, memory] = load({ random: pinned(new Uint8Array(160).fill(77), hex(ephemeral_private), new Uint8Array(12).fill(7)) });
  const secret = "a secret that is longer than the block of a hash, so that its digest is the key of both of the pads";
  const traces = [secret.slice(0, 20), "first secret", plaintext.slice(0, 20), envelope.slice(-20), "a request"];
  traces.push(hex(ephemeral_private).slice(0, 16), new Uint8Array(10).fill(77), "tenant in mem", "scope in mem", "note in mem");
  // Searches after each call, because the next call would overwrite the rest.
  const then = (made) => {
    for (const trace of traces) assert.ok(!holds(memory, trace), `${trace} in memory`);
    return made;
  };
  const ring = then(apikee.keyring(["first secret that signs", secret]));
  const new_ = { tenant: "tenant in memory", scopes: ["scope in memory"], meta: { note: "note in memory" } };
  // With a fixed time, too. Otherwise 1 of 256 keys needs another id, and these random bytes are always the same.
  const now = 1_760_000_000;
  const key = then(ring.issue(new_, { now }));
  traces.push(key.slice(7, 40), key.slice(-30));
  then(ring.verify(key, { now }));
  then(codeOf(() => ring.verify(`${key}1`, { now })));
  then(codeOf(() => ring.verify(key, { now: 9e9 })));
  const session = then(apikee.serverKey(server_public).establish());
  then(session.seal("a request in memory"));
  assert.equal(new TextDecoder().decode(then(session.open(envelope))), plaintext);

  // Also the objects behind handles, after they are freed.
  const before = memory.slice();
  ring.free();
  session.free();
  const wiped = before.filter((byte, at) => byte !== 0 && memory[at] === 0).length;
  assert.ok(wiped > 100, `${wiped}`);
});

test("a long key is wiped, and nothing behind it", () => {
  const { load } = open();
  const [apikee, memory, exports] = load();
  const ring = apikee.keyring("secret");
  const end = exports.payload() + (exports.key_room() / 4) * 3;
  memory.fill(7, end - 1, end + 8);
  assert.equal(codeOf(() => ring.verify(`apikee_${"z".repeat(20_000)}.1`)), "DECODE_ERROR");
  assert.deepEqual([...memory.subarray(end - 1, end + 8)], [0, ...Array(8).fill(7)]);
});

test("a finished stage leaves nothing of its key", () => {
  const { load } = open();
  const [apikee, memory] = load();
  const server = apikee.serverKey(new Uint8Array(32).fill(9));
  const zeros = () => memory.reduce((count, byte) => count + (byte === 0), 0);
  const empty = zeros();
  const session = server.establish();
  // These bytes are left: a key, two public keys, a generation and two tags.
  assert.ok(empty - zeros() > 80);
  session.seal("{}");
  // These bytes are left: the key, the server's key and the nonce of the request.
  assert.ok(empty - zeros() > 60 && empty - zeros() < 88, `${empty - zeros()}`);
  codeOf(() => session.open("{}"));
  // These bytes are left: the tag of a taken place, and its generation.
  assert.ok(empty - zeros() <= 2, `${empty - zeros()}`);
  session.free();
  assert.ok(empty - zeros() <= 1, `${empty - zeros()}`);
});

test("a handle is not taken for the length of an output", () => {
  const memory = new Memory(new WebAssembly.Instance(new WebAssembly.Module(full), {}).exports);
  memory.bytes[memory.output] = 7;
  memory.bytes[memory.payload] = 7;
  for (let count = 0; count < 3; count++) {
    const handle = memory.run({ put: () => memory.putAll(["a secret"]), call: (len) => memory.exports.keyring(len, 0) });
    assert.ok(handle > 0);
    assert.equal(memory.bytes[memory.output], 7);
    assert.equal(memory.bytes[memory.payload], 7);
  }
});

/** A module, and how much of the stack its calls use. */
function measured(module) {
  const memory = new Memory(new WebAssembly.Instance(new WebAssembly.Module(module), {}).exports);
  const { bytes, stack } = memory;
  const depths = new Map();
  const run = (name, put, call) => {
    const len = put() - memory.input;
    bytes.fill(0xaa, 0, stack);
    const answer = call(len);
    const depth = stack - bytes.findIndex((byte) => byte !== 0xaa);
    depths.set(name, Math.max(depths.get(name) ?? 0, depth));
    return answer;
  };
  return { memory, depths, run };
}

test("a verification by the smaller module uses only the part of the stack that is wiped", () => {
  const { memory, depths, run } = measured(verifyOnly);
  const { exports } = memory;
  for (const { secrets, key, now } of vectors("keys")) {
    const ring = run("keyring", () => memory.putAll(secrets), (len) => exports.keyring(len, 0));
    run("verify", () => memory.put(key), (len) => exports.verify(ring, len, now * 1000));
    exports.keyring_free(ring);
  }
  assert.ok(depths.get("verify") <= VERIFY_DEPTH && depths.get("verify") > 256, `${depths.get("verify")}`);
});

test("no call uses the lower half of the stack, and a verification only the part that is wiped", () => {
  const { memory, depths, run } = measured(full);
  const { exports, bytes, stack } = memory;
  bytes.fill(5, memory.random, memory.random + 160);
  for (const { secrets, key, now } of vectors("keys")) {
    const ring = run("keyring", () => memory.putAll(secrets), (len) => exports.keyring(len, 0));
    run("verify", () => memory.put(key), (len) => exports.verify(ring, len, now * 1000));
    const values = ["tenant", "env", "90d", '{"a":["\\u0041"]}', "", ...Array(512).fill("scope")];
    run("issue", () => memory.putAll(values), (len) => exports.issue(ring, len, now * 1000, NaN, NaN));
    exports.keyring_free(ring);
    bytes.fill(5, memory.random, memory.random + 160);
  }
  const server = run("server", () => memory.put(new Uint8Array(32).fill(9)), (len) => exports.server_key(len));
  let asked = false;
  run("fingerprint", () => memory.put("x".repeat(9999)), (len) => exports.fingerprint(len));
  for (const { envelope } of vectors("envelopes").filter(({ envelope }) => envelope !== undefined)) {
    bytes.fill(5, memory.random, memory.random + 160);
    const session = run("establish", () => memory.input, () => exports.establish(server));
    bytes.fill(5, memory.random, memory.random + 160);
    assert.ok(run("seal", () => memory.put("{}"), (len) => exports.seal(session, len)) > 0);
    const [open, call] = asked ? ["verdict", exports.verdict] : ["open", exports.open];
    run(open, () => memory.put(envelope), (len) => call(session, len));
    asked = !asked;
  }
  console.log(Object.fromEntries(depths));
  assert.ok(depths.get("verify") <= VERIFY_DEPTH && depths.get("verify") > 256);
  for (const [name, depth] of depths) assert.ok(depth <= stack / 2, `${name}: ${depth}`);
});
