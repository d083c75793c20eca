// @ts-self-types="../load.d.mts"
// Deno, which needs no permission for what is imported.
import source module from "../apikee.wasm";
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = (options) => instantiate(module, options);
