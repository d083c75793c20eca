// The same check with a browser's libraries: the types fit the arguments and results of `fetch`.
import { instantiate, load } from "apikee-wasm";

const apikee = await instantiate(fetch("apikee.wasm"));
const session = (await load({ random: (bytes) => crypto.getRandomValues(bytes) })).serverKey("k").establish();
const request = session.validateRequest({
  projectKey: "k", projectEnv: "e", client: "c", method: "GET", path: "/", headers: new Headers({ accept: "*/*" }),
});
const answer = await session.readAnswer(await fetch(request.url, { ...request, signal: AbortSignal.timeout(3000) }));
new Response(session.open(session.seal("{}")), { status: answer.success ? 200 : 500 });
await instantiate(new WebAssembly.Module(new Uint8Array(8)));
apikee.keyring("s").free();
