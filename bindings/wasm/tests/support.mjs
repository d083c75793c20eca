// Helpers for the tests: the modules, the vectors, and a generator with a fixed seed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { instantiateSync } from "../apikee.mjs";

export const wasm = (name) => readFileSync(`${process.env.APIKEE_WASM}/${name}.wasm`);
export const full = wasm("apikee");
export const verifyOnly = wasm("apikee-verify");
export const load = (options) => instantiateSync(full, options);

const folder = new URL("../../../tests/vectors/", import.meta.url);
export const vectors = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder))).vectors;

export const hex = (text) => Uint8Array.from(Buffer.from(text, "hex"));

/** A generator for the module that returns these bytes, and then no more. */
export function pinned(...parts) {
  return (bytes) => bytes.set(parts.shift() ?? []);
}

/** Pseudo-random numbers below a bound (Marsaglia's xorshift32). */
export function xorshift(seed) {
  let state = seed;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The integer of a base62 text. */
export const base62 = (text) => [...text].reduce((sum, digit) => sum * 62n + BigInt(ALPHABET.indexOf(digit)), 0n);

/** The bytes of a payload. */
export function payloadOf(key) {
  const digits = base62(key.slice("apikee_".length).split(".")[0]).toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
}

/** The error that a call throws, which must be an `ApikeeError`. Undefined if it throws nothing. */
export function errorOf(call) {
  try {
    call();
    return undefined;
  } catch (error) {
    assert.ok(error.name === "ApikeeError" && /^[A-Z_]+$/.test(error.code), `${error.stack}`);
    assert.ok(error.message.length > 0 && error.message.length < 200);
    return error;
  }
}

export const codeOf = (call) => errorOf(call)?.code;
