// @ts-self-types="../load.d.mts"
// For Node, Bun, and their bundlers.
import { readFile } from "node:fs/promises";
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = (options) => instantiate(readFile(new URL("../apikee.wasm", import.meta.url)), options);
