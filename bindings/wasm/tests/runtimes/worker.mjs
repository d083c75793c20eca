// A Worker: runs the suite in a request, and other checks outside of a request.
import small from "apikee-wasm/apikee-verify.wasm";
import * as api from "apikee-wasm";
import { suite } from "./suite.mjs";

const apikee = await api.load();
const keys = apikee.keyring("secret");
const server = apikee.serverKey(new Uint8Array(32).fill(9));
const codeOf = (call) => {
  try {
    call();
  } catch (error) {
    return `${error.name} ${error.code}`;
  }
};
// A key that expired in 2001. With a clock at 0 it would be good.
const old = keys.issue({ tenant: "t", expiresAt: 1_000_000_000, id: "id" }, { now: 999_999_000 });
const outside = {
  clock: Date.now(),
  verify: codeOf(() => keys.verify(old)),
  issue: codeOf(() => keys.issue({ tenant: "t" }, { now: 999_999_000 })),
  establish: codeOf(() => server.establish()),
};

export default {
  async fetch(request, env) {
    try {
      if (new URL(request.url).pathname === "/outside") {
        const bytes = await api.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).catch((error) => error.code);
        return Response.json({ ...outside, bytes, inside: codeOf(() => keys.verify(old)), registry: typeof FinalizationRegistry });
      }
      return Response.json(await suite({ api, small, ...JSON.parse(env.SETTINGS) }));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
