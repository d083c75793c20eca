// @ts-self-types="../load.d.mts"
// For Deno, which needs no permission for imports.
import source module from "../apikee.wasm";
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = (options) => instantiate(module, options);
