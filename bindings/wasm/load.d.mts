import type { Apikee, Options } from "./apikee.mjs";

export * from "./apikee.mjs";

/** Loads and instantiates the module of this package, as this runtime does it. */
export function load(options?: Options): Promise<Apikee>;
