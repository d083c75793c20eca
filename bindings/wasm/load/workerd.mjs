// @ts-self-types="../load.d.mts"
// Workers, which compile no bytes: the bundler makes a module of the import.
import module from "../apikee.wasm";
import { instantiate } from "../apikee.mjs";

export * from "../apikee.mjs";

export const load = (options) => instantiate(module, options);
