// The same check with the types of Workers.
import { ApikeeError, load, type Keyring } from "apikee-wasm";
import { instantiateSync } from "apikee-wasm/core";
import small from "apikee-wasm/apikee-verify.wasm";

const apikee = await load();
const tiny = instantiateSync(small).keyring("s");
let keys: Keyring | undefined;

export default {
  async fetch(request: Request, env: { SECRET: string; PLATFORM: string }): Promise<Response> {
    keys ??= apikee.keyring(env.SECRET);
    tiny.verify(request.headers.get("x-api-key"));
    const session = apikee.serverKey(env.PLATFORM).establish();
    const question = session.validateRequest({
      projectKey: "k", projectEnv: "e", client: "c", method: request.method, path: "/", headers: request.headers,
    });
    await session.readAnswer(await fetch(question.url, { ...question, signal: AbortSignal.timeout(3000) }));
    try {
      return Response.json(keys.verify(request.headers.get("x-api-key"), { scopes: ["read"] }));
    } catch (error) {
      if (error instanceof ApikeeError) return new Response(error.code, { status: error.httpStatus });
      throw error;
    }
  },
};
