// The same check with the types of Node.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { load } from "apikee-wasm";
import { instantiate } from "apikee-wasm/core";

const apikee = await load({ random: (bytes) => crypto.getRandomValues(bytes) });
await instantiate(readFile("apikee.wasm"));
createServer((request, response) => {
  const session = apikee.serverKey(Buffer.alloc(32)).establish();
  session.validateRequest({ projectKey: "k", projectEnv: "e", client: "c", method: request.method ?? "", path: "/", headers: request.headers });
  response.end(apikee.keyring(Buffer.from("s")).issue({ tenant: "t" }));
});
await apikee.serverKey("k").establish().readAnswer(await fetch("http://localhost"));
