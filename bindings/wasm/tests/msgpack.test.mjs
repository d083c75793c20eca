// Tests each format of MessagePack's specification: the module checks it, and JavaScript reads it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readMessagePack } from "../msgpack.mjs";
import { hex } from "./support.mjs";

const long = "78".repeat(40);
const FORMATS = [
  ["00", 0], ["7f", 127], ["e0", -32], ["ff", -1], ["c0", null], ["c2", false], ["c3", true],
  ["cc80", 128], ["cdffff", 65535], ["ceffffffff", 4294967295], ["cf0000000100000000", 4294967296],
  ["d080", -128], ["d18000", -32768], ["d280000000", -2147483648], ["d3ffffffff00000000", -4294967296],
  ["ca3fc00000", 1.5], ["cb3ff199999999999a", 1.1],
  ["a0", ""], ["a2c3a9", "\u00e9"], [`d928${long}`, "x".repeat(40)], [`da0028${long}`, "x".repeat(40)], [`db00000028${long}`, "x".repeat(40)],
  ["c40101", hex("01")], ["c5000101", hex("01")], ["c60000000101", hex("01")],
  ["90", []], ["9201c0", [1, null]], ["dc000101", [1]], ["dd0000000101", [1]],
  ["80", {}], ["81a16101", { a: 1 }], ["de0001a16101", { a: 1 }], ["df00000001a16101", { a: 1 }],
  ["d4ff01", { type: -1, data: hex("01") }], ["d5010102", { type: 1, data: hex("0102") }],
  ["d60101020304", { type: 1, data: hex("01020304") }], [`d701${"00".repeat(8)}`, { type: 1, data: new Uint8Array(8) }],
  [`d801${"00".repeat(16)}`, { type: 1, data: new Uint8Array(16) }], ["c7010501", { type: 5, data: hex("01") }],
  ["c800010501", { type: 5, data: hex("01") }], ["c9000000010501", { type: 5, data: hex("01") }],
];

test("every format is read correctly", () => {
  for (const [bytes, value] of FORMATS) assert.deepEqual(readMessagePack(hex(bytes)), value, bytes);
});

test("a name that is special in JavaScript is an ordinary name", () => {
  const object = readMessagePack(hex("81a95f5f70726f746f5f5f81a16101"));
  assert.deepEqual(Object.keys(object), ["__proto__"]);
  assert.equal(object.a, undefined);
});
