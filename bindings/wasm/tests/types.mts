// What the types allow, and what they do not: `tsc` reads it, and nothing runs it.
import { ApikeeError, MissingScopesError, instantiate, instantiateSync, type Claims } from "../apikee.mjs";

const apikee = await instantiate(fetch("apikee.wasm"), { clock: () => new Date(), random: crypto.getRandomValues.bind(crypto) });
{
  using keys = apikee.keyring(["new", new Uint8Array(32)], { leeway: 5 });
  const key: string = keys.issue({ tenant: "t", scopes: new Set(["read"]), expiresIn: "24h", meta: { plan: "pro" } });
  const claims: Claims = keys.verify(key, { now: 1_760_000_000, scopes: ["read"] });
  const expiry: number | null = claims.expiresAt;
  keys.verify(undefined);
  // @ts-expect-error A key is no number.
  keys.verify(expiry);
  // @ts-expect-error A key has a tenant.
  keys.issue({ scopes: [] });
  // @ts-expect-error A clock says what time it is.
  instantiateSync(new Uint8Array(), { clock: () => "now" });
}
using session = apikee.serverKey("base64").establish();
const envelope: string = session.seal("{}");
const answer: Uint8Array = session.open(envelope);
try {
  new TextDecoder().decode(answer);
} catch (error) {
  if (error instanceof MissingScopesError) error.missing.join();
  else if (error instanceof ApikeeError) throw new Response(error.code, { status: error.httpStatus });
}
