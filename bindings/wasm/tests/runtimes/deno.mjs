// For Deno, with permission to use the network of this machine and to read one variable.
import source small from "apikee-wasm/apikee-verify.wasm";
import * as api from "apikee-wasm";
import { suite } from "./suite.mjs";

console.log(JSON.stringify(await suite({ api, small, ...JSON.parse(Deno.env.get("SETTINGS")) })));
