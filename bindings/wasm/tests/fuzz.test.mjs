// Random bytes, lengths, handles and times from a fixed seed must give a result or a failure, and never a trap.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../errors.mjs";
import { codeOf, full, load, vectors, xorshift } from "./support.mjs";

const apikee = load();
const ring = apikee.keyring("secret");
const server = apikee.serverKey(new Uint8Array(32).fill(9));

test("a freed handle is invalid, also when its place is taken again", () => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(full), {});
  const bytes = new Uint8Array(exports.memory.buffer);
  const keyring = () => (bytes.set([1, 0, 0, 0, 65], exports.input()), exports.keyring(5, 0));
  const first = keyring();
  exports.keyring_free(first);
  const second = keyring();
  assert.ok(second > 0 && second !== first);
  exports.keyring_free(first);
  assert.equal(failure(exports.verify(first, 9, 0)).code, "FREED");
  assert.equal(failure(exports.verify(second, 9, 0)).code, "INVALID_PREFIX");
});

test("20,000 random calls of the raw exports never trap", () => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(full), {});
  const bytes = new Uint8Array(exports.memory.buffer);
  const [input, size, random] = [exports.input(), exports.input_len(), exports.random()];
  const draw = xorshift(0x5eed);
  const keys = vectors("keys").map(({ key }) => key);
  const envelopes = vectors("envelopes").flatMap(({ envelope }) => envelope ?? []);
  const handles = [0, 1, -1, 65536, 65537, 2 ** 31 - 1, -(2 ** 31)];
  const handle = () => handles[draw(handles.length)];
  const len = () => [draw(300), draw(size), size, size + 1, -1, 2 ** 31, 0][draw(7)];
  const time = () => [NaN, Infinity, -Infinity, 0, -1, 1.76e12, 1.76e9, Number.MAX_VALUE, -Number.MAX_VALUE][draw(9)];
  const calls = [
    () => exports.keyring(len(), draw(2) * -1),
    () => exports.verify(handle(), len(), time()),
    () => exports.issue(handle(), len(), time(), time(), time()),
    () => exports.server_key(32),
    () => exports.server_key(len()),
    () => exports.establish(handle()),
    () => exports.seal(handle(), len()),
    () => exports.open(handle(), len()),
    () => exports.verdict(handle(), len()),
    () => exports.fingerprint(len()),
    () => draw(4) === 0 && exports.keyring_free(handle()),
    () => draw(4) === 0 && exports.session_free(handle()),
    () => draw(4) === 0 && exports.server_key_free(handle()),
  ];
  const outcomes = new Set();
  for (let n = 0; n < 20_000; n++) {
    const text = [keys, envelopes][draw(2)];
    const start = Buffer.from(text[draw(text.length)]).subarray(0, size);
    bytes.set(start, input);
    for (let spoilt = draw(4); spoilt > 0; spoilt--) bytes[input + draw(start.length)] = draw(256);
    if (draw(3) === 0) for (let at = 0; at < 64; at += 4) bytes.set([draw(12), 0, 0, 0], input + at);
    for (let at = 0; at < 160; at++) bytes[random + at] = draw(256);
    const call = draw(calls.length);
    const answer = calls[call]();
    if (typeof answer === "number" && answer >= 65536) handles[draw(handles.length)] = answer;
    outcomes.add(`${call} ${answer > 0}`);
  }
  // Each call fails at times. A keyring, a server key, establishing, sealing and a fingerprint also succeed.
  assert.ok(outcomes.size >= 18, `${[...outcomes]}`);
});

test("5,000 damaged keys are refused with a code", () => {
  const draw = xorshift(42);
  const keys = Array.from({ length: 100 }, (_, n) => ring.issue({ tenant: `t${n}` }));
  for (let n = 0; n < 5000; n++) {
    const good = keys[draw(keys.length)];
    const bytes = Buffer.from(good);
    for (let spoilt = 1 + draw(3); spoilt > 0; spoilt--) bytes[draw(bytes.length)] = draw(256);
    const text = bytes.toString("latin1");
    if (text === good) continue;
    assert.equal(codeOf(() => ring.verify(bytes)), codeOf(() => ring.verify(text)));
    assert.notEqual(codeOf(() => ring.verify(text)), undefined);
  }
});

test("2,000 damaged envelopes of other sessions are refused with a code", () => {
  const draw = xorshift(43);
  const envelopes = vectors("envelopes").flatMap(({ envelope }) => envelope ?? []);
  for (let n = 0; n < 2000; n++) {
    const bytes = Buffer.from(envelopes[draw(envelopes.length)]);
    for (let spoilt = 1 + draw(3); spoilt > 0; spoilt--) bytes[draw(bytes.length)] = draw(256);
    const session = server.establish();
    session.seal("{}");
    assert.notEqual(codeOf(() => session.open(bytes)), undefined);
    session.free();
  }
});
