// Runs the unmodified published Node SDK behind a pipe, like `sdk.py` for Python. Only the environment configures it.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Apikee, ApikeeKeyEngine } = await import(process.env.NODE_SDK);

// The SDK's base URL is a constant. Requests to it are sent to the address in the environment instead.
const published = "https://apikee.dev/api/v1";
const { fetch } = globalThis;
// The SDK does not wait for most of its calls. `settled` waits for them.
const calling = new Set();
globalThis.fetch = (url, options) => {
  const call = fetch(String(url).replace(published, process.env.APIKEE_BASE_URL), options);
  calling.add(call);
  return call;
};
const settled = async () => {
  // Lets the SDK start calls that it makes in a later turn of the event loop.
  await new Promise(setImmediate);
  await Promise.allSettled(calling);
};

const moment = (seconds) => (seconds === null ? null : new Date(seconds * 1000));
const seconds = (time) => (time === null ? null : time.getTime() / 1000);
const engine = () => new ApikeeKeyEngine([process.env.APIKEE_SECRET]);

const issue = (specs) =>
  specs.map((spec) =>
    engine().create({
      tenant: spec.tenant,
      scopes: spec.scopes,
      environment: spec.environment,
      expiresIn: moment(spec.expires_at),
      notBefore: moment(spec.not_before),
      meta: spec.meta,
    }),
  );

const claimsOf = (key) => {
  try {
    const claims = engine().verify(key);
    return {
      tenant: claims.tenant,
      scopes: claims.scopes,
      environment: claims.environment,
      expires_at: seconds(claims.expiresAt),
      not_before: seconds(claims.notBefore),
      meta: claims.meta,
    };
  } catch (error) {
    return { raised: error.code };
  }
};

const create = async (tenant, options) => {
  const key = await new Apikee().create(tenant, options);
  await settled();
  return key;
};

const validate = (client, keyName, headers, payload, failOpen) =>
  new Apikee({ failOpen })._server.validate(client, keyName, "get", "users", headers, payload);

let address;

// Uses the client's Express middleware, because the adapter's middleware does not register endpoints.
const ask = async (framework, path, key) => {
  if (!address) {
    const require = createRequire(process.env.NODE_SDK);
    const { requireScope } = await import(pathToFileURL(`${dirname(process.env.NODE_SDK)}/adapters/express.js`));
    const app = require("express")();
    app.use(new Apikee().expressMiddleware());
    app.get("/users", (request, response) => response.json({ tenant: request.apikee.tenant }));
    app.get("/admin", requireScope("admin"), (request, response) => response.json({}));
    const server = app.listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    address = `http://127.0.0.1:${server.address().port}`;
  }
  const answer = await fetch(address + path, { headers: key ? { "x-api-key": key } : {} });
  await settled();
  return [answer.status, await answer.json()];
};

const calls = { issue, verify: (keys) => keys.map(claimsOf), create, validate, ask };

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  let said;
  try {
    said = await calls[name](...given);
  } catch (error) {
    said = { raised: error.code ?? String(error) };
  }
  process.stdout.write(`${JSON.stringify(said ?? null)}\n`);
}
process.exit(0);
