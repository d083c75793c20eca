// Runs every golden vector of the repository through the module.
import assert from "node:assert/strict";
import { test } from "node:test";
import { instantiateSync } from "../apikee.mjs";
import { base62, codeOf, full, hex, load, payloadOf, pinned, vectors, verifyOnly } from "./support.mjs";

const keys = vectors("keys");
const envelopes = vectors("envelopes");
const ofKind = (kind) => envelopes.filter((vector) => vector.kind === kind);

for (const [name, bytes] of [["the module", full], ["the module that only verifies", verifyOnly]]) {
  test(`${name} gives the result of the vector for each key`, () => {
    const apikee = instantiateSync(bytes);
    for (const { name, secrets, key, now, expect } of keys) {
      const ring = apikee.keyring(secrets);
      if (expect.ok) {
        const { ok, expires_at: expiresAt, not_before: notBefore, ...rest } = expect;
        const { secretIndex, ...claims } = ring.verify(key, { now });
        assert.deepEqual(claims, { ...rest, expiresAt, notBefore }, name);
        assert.ok(secretIndex < secrets.length, name);
        assert.deepEqual(ring.verify(new TextEncoder().encode(key), { now }), { ...claims, secretIndex }, name);
      } else {
        const codes = [expect.code, ...(expect.also ?? [])];
        assert.ok(codes.includes(codeOf(() => ring.verify(key, { now }))), name);
      }
      ring.free();
    }
    assert.ok(keys.length >= 143);
  });
}

test("issued keys are byte for byte those of the Node SDK", () => {
  const apikee = load();
  let same = 0;
  for (const { name, secrets, key, now, expect } of keys) {
    if (!expect.ok) continue;
    const { id, tenant: tid, scopes: scp, environment: env, expires_at: exp, not_before: nbf, meta } = expect;
    // Compares the bytes only if the vector's payload has the spelling that we write.
    const spelt = JSON.stringify({
      ...{ id, tid, scp, env },
      ...(exp !== null && { exp }),
      ...(nbf !== null && { nbf }),
      ...(Object.keys(meta).length > 0 && { meta }),
    });
    if (payloadOf(key).toString() !== spelt || id === "" || env === "") continue;
    const all = apikee.keyring(secrets);
    const ring = apikee.keyring(secrets[all.verify(key, { now }).secretIndex]);
    const expiry = exp === null ? { expiresIn: "never" } : { expiresAt: exp };
    const notBefore = nbf === null ? undefined : nbf;
    const issue = () => ring.issue({ tenant: tid, scopes: scp, environment: env, ...expiry, notBefore, meta, id }, { now });
    // Keys that the SDKs would refuse are not issued.
    if (base62(key.split(".")[1]) < 1n << 248n) assert.equal(codeOf(issue), "UNUSABLE_ID", name);
    else assert.equal(issue(), key, name);
    all.free();
    ring.free();
    same += 1;
  }
  assert.ok(same >= 19, `${same}`);
});

test("sealed requests are byte for byte those of the vectors", () => {
  for (const { name, server_public, ephemeral_private, iv, plaintext, envelope } of ofKind("request")) {
    const apikee = load({ random: pinned(hex(ephemeral_private), hex(iv)) });
    const server = apikee.serverKey(hex(server_public));
    const session = server.establish();
    assert.equal(session.seal(plaintext), envelope, name);
    const own = JSON.parse(envelope).epk;
    const reflected = envelope.replace(own, Buffer.from(hex(server_public)).toString("base64url"));
    assert.equal(codeOf(() => session.open(reflected)), "REFLECTED", name);
  }
  assert.ok(ofKind("request").length >= 5);
});

const pending = ({ server_public, ephemeral_private }) => {
  const apikee = load({ random: pinned(hex(ephemeral_private), new Uint8Array(12).fill(7)) });
  const session = apikee.serverKey(server_public).establish();
  session.seal("{}");
  return session;
};

test("answers are opened or refused as in their vectors", () => {
  for (const vector of ofKind("response")) {
    let opened;
    const code = codeOf(() => (opened = pending(vector).open(vector.envelope)));
    assert.equal(code === undefined, vector.ok, `${vector.name}: ${code}`);
    if (vector.ok) assert.equal(new TextDecoder().decode(opened), vector.plaintext, vector.name);
  }
  assert.ok(ofKind("response").length >= 36);
});

/** The code of the error of reading an answer, if there is one. */
async function verdictOf({ server_public, ephemeral_private, envelope }) {
  const apikee = load({ random: pinned(hex(ephemeral_private), new Uint8Array(12).fill(7)) });
  const session = apikee.serverKey(server_public).establish();
  session.validateRequest({
    projectKey: "k", projectEnv: "my-app-production", client: "497f6eca-6276-4993-bfeb-53cbbbba6f08", method: "GET", path: "/users", now: 1_760_000_000,
  });
  try {
    await session.readAnswer(new Response(envelope));
    return undefined;
  } catch (error) {
    assert.equal(error.name, "ApikeeError", error.stack);
    return error.code;
  }
}

test("answers without a verdict are opened, but not accepted as a verdict", async () => {
  for (const vector of ofKind("answer")) {
    assert.ok(pending(vector).open(vector.envelope) instanceof Uint8Array, vector.name);
    assert.ok(["NO_VERDICT", "MALFORMED_ANSWER"].includes(await verdictOf(vector)), vector.name);
  }
  assert.ok(ofKind("answer").length >= 10);
});

test("the verdict is the answer's success", async () => {
  const codes = [];
  for (const vector of ofKind("response")) {
    const code = await verdictOf(vector);
    if (vector.ok && JSON.parse(vector.plaintext).success) assert.ok([undefined, "ANOTHER_REQUEST"].includes(code), `${vector.name}: ${code}`);
    else if (vector.ok) assert.ok(["SERVER_REJECTED", "ANOTHER_REQUEST"].includes(code), `${vector.name}: ${code}`);
    else assert.notEqual(code, undefined, vector.name);
    codes.push(code);
  }
  for (const code of [undefined, "ANOTHER_REQUEST", "SERVER_REJECTED"]) assert.ok(codes.includes(code), `${code}`);
});

test("server keys are accepted or refused as in their vectors", () => {
  const apikee = load();
  for (const { name, server_public, ok } of ofKind("server-key")) {
    assert.equal(codeOf(() => apikee.serverKey(server_public)) === undefined, ok, name);
  }
  assert.ok(ofKind("server-key").length >= 5);
});
