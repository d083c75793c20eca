// Compares the module with the published Node SDK: thousands of good and bad keys, in both directions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { base62, codeOf, load, xorshift } from "./support.mjs";

const { ApikeeKeyEngine } = await import(process.env.NODE_SDK);
const SECRET = "a secret of the interoperability tests";
const COUNT = 3000;
const EXPIRY = 4_102_444_800;

const sdk = new ApikeeKeyEngine([SECRET]);
const ring = load().keyring(SECRET);
const draw = xorshift(7);
const pick = (list) => list[draw(list.length)];

function specification() {
  return {
    tenant: pick(["acme-corp", 'ten"ant\\', "caf\u00e9", "\u65e5\u672c", "\u{1f600}", "line\nbreak\t\u0001", "a".repeat(300)]) + draw(1000),
    scopes: Array.from({ length: draw(5) }, () => pick(["read", "write", "read:users", "\u00fc", "a b"])),
    environment: pick(["production", "staging", "d\u00e9v"]),
    expires: pick([null, EXPIRY]),
    begins: pick([null, 1_700_000_000]),
    meta: pick([{}, { plan: "pro" }, { n: [1, 2.5, -3, true, null], o: { "\u00e9": "/" } }]),
  };
}

const date = (seconds) => (seconds === null ? null : new Date(seconds * 1000));
const seconds = (date) => (date === null ? null : date.getTime() / 1000);

const issueTheirs = ({ expires, begins, ...rest }) =>
  sdk.create({ ...rest, expiresIn: date(expires) ?? new Date(EXPIRY * 1000), notBefore: date(begins) });

const issueOurs = ({ expires, begins, ...rest }) =>
  ring.issue({ ...rest, expiresAt: expires ?? EXPIRY, notBefore: begins ?? undefined });

const ours = (key) => {
  const { secretIndex, ...claims } = ring.verify(key);
  return claims;
};
const theirs = (key) => {
  const { rawKey, ...claims } = sdk.verify(key);
  return { ...claims, expiresAt: seconds(claims.expiresAt), notBefore: seconds(claims.notBefore) };
};

/** The claims that `verify` returns, or the code of its error. */
function answer(verify, key) {
  try {
    return verify(key);
  } catch (error) {
    return error.code ?? error.name;
  }
}

/** Whether the tag starts with a zero byte. The SDK refuses such tags: docs/WIRE.md. */
const startsWithZero = (key) => base62(key.split(".")[1]) < 1n << 248n;

test(`${COUNT} of our keys have the same claims in the SDK`, () => {
  for (let n = 0; n < COUNT; n++) {
    const spec = specification();
    const key = issueOurs(spec);
    const claims = theirs(key);
    assert.deepEqual(claims, ours(key));
    assert.deepEqual([claims.tenant, claims.scopes, claims.meta], [spec.tenant, spec.scopes, spec.meta]);
  }
});

test(`${COUNT} keys of the SDK have the same claims here, also the keys that the SDK refuses itself`, () => {
  let refused = 0;
  for (let n = 0; n < COUNT; n++) {
    const key = issueTheirs(specification());
    const claims = answer(theirs, key);
    refused += claims === "INVALID_SIGNATURE";
    assert.equal(claims === "INVALID_SIGNATURE", startsWithZero(key));
    const own = ours(key);
    if (claims !== "INVALID_SIGNATURE") assert.deepEqual(own, claims);
  }
  // 1 in 256.
  assert.ok(refused > 0 && refused < COUNT / 64, `${refused}`);
});

test(`both refuse ${COUNT} damaged keys with the same code, except where the SDK is wrong`, () => {
  const codes = new Map();
  for (let n = 0; n < COUNT; n++) {
    const key = issueOurs(specification());
    const at = draw(key.length);
    const spoilt = key.slice(0, at) + pick(["", "0", "z", ".", "_", "\u00e9", "7"]) + key.slice(at + draw(2));
    if (spoilt === key) continue;
    const code = codeOf(() => ring.verify(spoilt));
    codes.set(code, (codes.get(code) ?? 0) + 1);
    const [payload, tag] = spoilt.slice("apikee_".length).split(".");
    const spelling = [payload, tag].some((part) => part === "" || (part?.length > 1 && part.startsWith("0")));
    // For the SDK, leading zeros, empty segments and tags of more than 32 bytes are wrong signatures, or no errors.
    const tooLarge = /^[0-9A-Za-z]+$/.test(tag ?? "") && base62(tag) >= 1n << 256n;
    if (code === "DECODE_ERROR" && (spelling || tooLarge)) continue;
    assert.equal(code, answer(theirs, spoilt), spoilt);
  }
  for (const code of ["INVALID_PREFIX", "INVALID_FORMAT", "DECODE_ERROR", "INVALID_SIGNATURE"]) {
    assert.ok(codes.get(code) > 3, `${code}: ${codes.get(code)}`);
  }
});
