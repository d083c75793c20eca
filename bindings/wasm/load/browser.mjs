// @ts-self-types="../load.d.mts"
// Browsers, and whatever else has `fetch`; bundlers find the module by this form of its URL.
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = async (options) => instantiate(fetch(new URL("../apikee.wasm", import.meta.url)), options);
