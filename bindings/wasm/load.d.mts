import type { Apikee, Options } from "./apikee.mjs";

export * from "./apikee.mjs";

/** Loads and instantiates the module of this package, in the way of this runtime. */
export function load(options?: Options): Promise<Apikee>;
