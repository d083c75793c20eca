// For Node and Bun. With `--no-registry` there is no FinalizationRegistry, as in older Workers.
import { readFile } from "node:fs/promises";
import vm from "node:vm";
import * as api from "apikee-wasm";
import { suite } from "./suite.mjs";

const settings = JSON.parse(process.env.SETTINGS);
if (process.argv.includes("--no-registry")) {
  // Node's own `fetch` needs FinalizationRegistry. So a response is made before, and the platform is not asked.
  await new Response("").text();
  delete globalThis.FinalizationRegistry;
  delete settings.platform;
}

const bytesOf = (name) => readFile(new URL(import.meta.resolve(`apikee-wasm/${name}`)));
const done = await suite({ api, small: bytesOf("apikee-verify.wasm"), ...settings });

// Values and errors of another realm, as in Jest and Next.js.
const sandbox = { bytes: new Uint8Array(await bytesOf("apikee.wasm")) };
const other = vm.runInNewContext(
  `({
    module: new WebAssembly.Module(bytes),
    buffer: bytes.buffer,
    secret: new Uint8Array([115, 101, 99]),
    date: new Date(1760000000000),
    options: { scopes: ["read"], now: new Date(1760000001000) },
    misspelt: { scope: ["admin"] },
  })`,
  sandbox,
);
if (other.secret instanceof Uint8Array || other.date instanceof Date) throw new Error("that is the same realm");
for (const source of [other.module, other.buffer]) {
  const keys = (await api.instantiate(source)).keyring(other.secret);
  const key = keys.issue({ tenant: "t", scopes: ["read"] }, { now: other.date });
  if (keys.verify(new TextEncoder().encode(key), other.options).tenant !== "t") throw new Error("another realm's options");
  if (api.instantiateSync(other.module).keyring([other.secret]).verify(key, { now: other.date }).tenant !== "t") throw new Error("at once");
  try {
    keys.verify(key, other.misspelt);
    throw new Error("a misspelt option of another realm");
  } catch (error) {
    if (error.code !== "INVALID_ARGUMENT") throw error;
  }
}
done.push("values of another realm are accepted");
console.log(JSON.stringify(done));
