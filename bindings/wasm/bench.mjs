// Measures how many keys per second the module verifies, and compares it with the published Node SDK in the same
// process.
//
//     NODE_SDK=.../node_modules/apikee/dist/index.js node bench.mjs FOLDER [LEAST RATIO]
//
// Both take turns, so that a busy machine slows both. The result is the median of the ratios of all rounds.
import { readFileSync } from "node:fs";
import { instantiateSync } from "./apikee.mjs";

const [folder = new URL(".", import.meta.url).pathname, least = "0"] = process.argv.slice(2);
const { ApikeeKeyEngine } = await import(process.env.NODE_SDK ?? "apikee");

const ROUNDS = 101;
const secret = "2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";
const sdk = new ApikeeKeyEngine([secret]);
const spec = { tenant: "acme-corp", scopes: ["read", "write"], meta: { plan: "pro", seats: 5 } };
const apikee = instantiateSync(readFileSync(`${folder}/apikee.wasm`));
const small = instantiateSync(readFileSync(`${folder}/apikee-verify.wasm`)).keyring(secret);
const ring = apikee.keyring(secret);
const keys = Array.from({ length: 64 }, () => ring.issue(spec));

let sink = 0;
/** The average time of a call in microseconds. */
function time(call, count) {
  const start = process.hrtime.bigint();
  for (let n = 0; n < count; n++) sink += call(keys[n % keys.length]) === undefined ? 1 : 0;
  return Number(process.hrtime.bigint() - start) / count / 1000;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

function compare(name, ours, theirs, count) {
  for (let warm = 0; warm < 5; warm++) time(ours, 4 * count), time(theirs, count);
  const rounds = Array.from({ length: ROUNDS }, () => [time(ours, 4 * count), time(theirs, count)]);
  const [own, other] = [0, 1].map((which) => median(rounds.map((round) => round[which])));
  const ratio = median(rounds.map(([own, other]) => other / own));
  const line = [`${own.toFixed(2)} us`, `Node SDK ${other.toFixed(2)} us`, `${ratio.toFixed(1)} times as many a second`];
  console.log(`${name}: ${line.join(", ")}`);
  return ratio;
}

const forged = (verify) => (key) => {
  try {
    verify(`${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`);
  } catch (error) {
    return error.code;
  }
};

const ratio = compare("verify", (key) => ring.verify(key), (key) => sdk.verify(key), 100);
compare("verify, small module", (key) => small.verify(key), (key) => sdk.verify(key), 100);
compare("refuse a forged key", forged((key) => ring.verify(key)), forged((key) => sdk.verify(key)), 100);
compare("issue", () => ring.issue(spec), () => sdk.create(spec), 100);

const server = apikee.serverKey(new Uint8Array(32).fill(9));
const establish = median(Array.from({ length: 21 }, () => time(() => server.establish().free(), 20)));
const ready = Array.from({ length: 500 }, () => server.establish());
const seal = median(ready.map((session) => time(() => session.seal("x".repeat(450)), 1)));
console.log(`establish a session: ${establish.toFixed(0)} us; seal 450 bytes: ${seal.toFixed(1)} us`);

if (ratio < Number(least)) {
  console.error(`verify: ${ratio.toFixed(1)} times as many a second, of ${least} at least`);
  process.exit(1);
}
