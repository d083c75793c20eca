// Code that the types must accept or reject. `tsc` and `deno check` read it, and nothing runs it. It needs no
// platform's library.
import { ApikeeError, MissingScopesError, PlatformError, load, instantiateSync, type Answer, type Apikee, type Claims } from "apikee-wasm";
import { instantiate, type Options } from "apikee-wasm/core";
import module from "apikee-wasm/apikee-verify.wasm";

const options: Options = { clock: () => new Date(), random: (bytes) => bytes.fill(7) };
const apikee: Apikee = await load(options);
await instantiate(module);
await instantiate(Promise.resolve(new Uint8Array(8)), {});
{
  using keys = apikee.keyring(["new", new Uint8Array(32)], { leeway: 5 });
  const key: string = keys.issue({ tenant: "t", scopes: new Set(["read"]), expiresIn: "24h", meta: { plan: "pro" } });
  const claims: Claims = keys.verify(key, { now: 1_760_000_000, scopes: ["read"] });
  const expiry: number | null = claims.expiresAt;
  keys.verify(undefined);
  // @ts-expect-error A key is not a number.
  keys.verify(expiry);
  // @ts-expect-error A misspelt option.
  keys.verify(key, { scope: ["admin"] });
  // @ts-expect-error A string is not a list of scopes.
  keys.verify(key, { scopes: "read" });
  // @ts-expect-error A key must have a tenant.
  keys.issue({ scopes: [] });
  // @ts-expect-error A clock must return the time.
  instantiateSync(new Uint8Array(), { clock: () => "now" });
  // @ts-expect-error A module is not a string.
  await instantiate("apikee.wasm");
}
const fingerprint: string = apikee.fingerprint("apikee_one.two");
using session = apikee.serverKey("base64").establish();
const { url, method, headers, body, redirect } = session.validateRequest({
  projectKey: "sk_test_x", projectEnv: "e", client: "id", method: "GET", path: "/", headers: { accept: undefined, via: ["a", "b"] },
});
const answer: Answer = await session.readAnswer({
  status: 200, body: null, headers: new Map<string, string>() as unknown as { get(name: string): string | null },
  arrayBuffer: async () => new ArrayBuffer(0),
});
const opened: Uint8Array<ArrayBuffer> = session.open(session.seal("{}"));
try {
  if (opened.length > 0 && answer.success) [url, method, headers, body, redirect, fingerprint].join();
} catch (error) {
  if (error instanceof MissingScopesError) error.missing.join();
  else if (error instanceof PlatformError) [error.reason?.length, error.retryAfter?.toFixed(), error.code === "SERVER_REJECTED"].join();
  else if (error instanceof ApikeeError) [error.code, error.httpStatus.toFixed(), error.cause].join();
  // @ts-expect-error It is only thrown, and has no public constructor.
  new ApikeeError();
}
