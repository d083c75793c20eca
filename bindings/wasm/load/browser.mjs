// @ts-self-types="../load.d.mts"
// For browsers and other runtimes with `fetch`. Bundlers recognise this form of the module's URL.
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = async (options) => instantiate(fetch(new URL("../apikee.wasm", import.meta.url)), options);
