// @ts-self-types="../load.d.mts"
// For Workers, which cannot compile bytes: the bundler turns the import into a module.
import module from "../apikee.wasm";
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = (options) => instantiate(module, options);
