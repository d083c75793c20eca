// @ts-self-types="../load.d.mts"
// Node, Bun, and what bundles for them.
import { readFile } from "node:fs/promises";
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = (options) => instantiate(readFile(new URL("../apikee.wasm", import.meta.url)), options);
