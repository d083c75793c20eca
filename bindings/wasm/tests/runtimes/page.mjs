// For a page or its worker. The results are in `globalThis.found`.
import * as api from "apikee-wasm";
import { suite } from "./suite.mjs";

async function found(settings) {
  const small = fetch("/node_modules/apikee-wasm/apikee-verify.wasm");
  const done = await suite({ api, small, ...settings });
  // A frame is another realm.
  const frame = document.body.appendChild(document.createElement("iframe")).contentWindow;
  const bytes = new Uint8Array(await (await fetch("/node_modules/apikee-wasm/apikee.wasm")).arrayBuffer());
  const module = new frame.WebAssembly.Module(bytes);
  const secret = frame.Uint8Array.from([115, 101, 99]);
  const now = new frame.Date(1_760_000_000_000);
  if (module instanceof WebAssembly.Module || now instanceof Date) throw new Error("that is the same realm");
  const keys = (await api.instantiate(module)).keyring(secret);
  const options = Object.assign(new frame.Object(), { now, scopes: frame.Array.of("read") });
  if (keys.verify(keys.issue({ tenant: "t", scopes: ["read"] }, { now }), options).tenant !== "t") throw new Error("another realm's");
  done.push("values of another realm are accepted");
  return done;
}

/** The result of loading with this page's content security policy. */
async function loaded() {
  try {
    const apikee = await api.load();
    return apikee.keyring("secret").issue({ tenant: "t" }).slice(0, 7);
  } catch (error) {
    return { name: error.name, code: error.code, message: error.message };
  }
}

globalThis.apikeeTest = { found, loaded };
