// The checks for every runtime. They use only the language, `fetch` and the package, which is passed as an argument.

function check(holds, what) {
  if (!holds) throw new Error(`does not hold: ${what}`);
}

/** The code that a call throws, which must be an `ApikeeError`. */
function codeOf(api, call) {
  try {
    call();
    return undefined;
  } catch (error) {
    check(error instanceof api.ApikeeError, `${error?.name}: ${error?.message} is an ApikeeError`);
    return error.code;
  }
}

async function codeOfLater(api, call) {
  try {
    await call();
    return undefined;
  } catch (error) {
    check(error instanceof api.ApikeeError, `${error?.name}: ${error?.message} is an ApikeeError`);
    return error.code;
  }
}

const SECRET = "2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1";

/**
 * Runs all checks; returns their names. `api` is the package, and `small` its smaller module. `platform` contains the
 * emulator's address and settings, and a vector of the Node SDK.
 */
export async function suite({ api, small, platform, vector }) {
  const { load, instantiate, instantiateSync, ApikeeError, MissingScopesError, PlatformError } = api;
  const done = [];
  const apikee = await load();
  const keys = apikee.keyring(SECRET);
  const test = async (name, run) => {
    try {
      await run();
    } catch (error) {
      throw new Error(`${name}: ${error.stack ?? error}`);
    }
    done.push(name);
  };

  await test("a key is issued and verified", () => {
    const key = keys.issue({ tenant: "caf\u00e9", scopes: new Set(["read"]), meta: { plan: "pro" } });
    const claims = keys.verify(key, { scopes: ["read"] });
    check(claims.tenant === "caf\u00e9" && claims.meta.plan === "pro" && claims.expiresAt > Date.now() / 1000, "claims");
    check(codeOf(api, () => keys.verify(`${key}1`)) !== undefined, "a spoilt key is refused");
    check(codeOf(api, () => keys.verify(key, { now: new Date(Date.now() + 91 * 86_400_000) })) === "EXPIRED", "expiry");
    try {
      keys.verify(key, { scopes: ["admin"] });
      check(false, "a scope is missing");
    } catch (error) {
      check(error instanceof MissingScopesError && error.missing.join() === "admin" && error.httpStatus === 403, "the scope is named");
    }
  });

  await test("a key of the published Node SDK is verified", () => {
    const claims = apikee.keyring(vector.secrets).verify(vector.key, { now: vector.now });
    check(claims.tenant === vector.tenant, claims.tenant);
    check(apikee.fingerprint(vector.key) === vector.fingerprint, "its fingerprint");
  });

  await test("an unknown option is named", () => {
    const key = keys.issue({ tenant: "t" });
    try {
      keys.verify(key, { scope: ["admin"] });
      check(false, "it is refused");
    } catch (error) {
      check(error.code === "INVALID_ARGUMENT" && error.message.includes('"scope"'), error.message);
    }
  });

  await test("the smaller module verifies", async () => {
    const ring = (await instantiate(small)).keyring(SECRET);
    check(ring.verify(keys.issue({ tenant: "t" })).tenant === "t", "the tenant");
    check(codeOf(api, () => ring.issue({ tenant: "t" })) === "NOT_IN_THIS_BUILD", "it does not issue");
  });

  await test("a value that is not a module is refused", async () => {
    for (const [source, code] of [
      [undefined, "INVALID_ARGUMENT"], [42, "INVALID_ARGUMENT"], ["apikee.wasm", "INVALID_ARGUMENT"], [{}, "INVALID_ARGUMENT"],
      [Promise.reject(new Error("gone")), "LOAD_FAILED"],
      [new Response("gone", { status: 404 }), "LOAD_FAILED"],
    ]) {
      const found = await codeOfLater(api, () => instantiate(source));
      check(found === code, `${String(source)}: ${found}`);
    }
    // A runtime that cannot compile bytes gives the same error for good bytes.
    const bytes = await codeOfLater(api, () => instantiate(new Uint8Array(8)));
    check(bytes === "LOAD_FAILED" || bytes === "WASM_BLOCKED", `${bytes}`);
    check(codeOf(api, () => instantiateSync(new Uint8Array(8))) === bytes, "at once");
  });

  await test("a clock at 0 is refused", async () => {
    const stopped = (await load({ clock: () => 0 })).keyring(SECRET);
    check(codeOf(api, () => stopped.verify(keys.issue({ tenant: "t" }))) === "CLOCK_FAILED", "CLOCK_FAILED");
  });

  await test("2,500 sessions that are never freed cause no outage", () => {
    const server = apikee.serverKey(new Uint8Array(32).fill(9));
    for (let n = 0; n < 1250; n++) check(server.establish().seal("{}").length > 0, "sealed");
    for (let n = 0; n < 1250; n++) {
      const session = server.establish();
      session.seal("{}");
      check(codeOf(api, () => session.open("{}")) === "UNSEALED", "opened");
    }
    server.free();
  });

  if (platform !== undefined) {
    const server = apikee.serverKey(platform.publicKey);
    const ask = async (change) => {
      const session = server.establish();
      const question = session.validateRequest({
        baseUrl: platform.url, projectKey: platform.projectKey, projectEnv: platform.projectEnv, client: platform.client,
        method: "get", path: "/caf\u00e9/{id}?page=2", headers: { "user-agent": "suite", "x-api-key": "apikee_x.y" }, payload: { n: 1 },
        ...change,
      });
      const answer = await session.readAnswer(await fetch(question.url, question));
      check(codeOf(api, () => session.open("{}")) === "SESSION_USED", "used up");
      return answer;
    };

    await test("the platform lets a request through", async () => {
      const answer = await ask({});
      check(answer.success === true && answer.clientId === platform.client, JSON.stringify(answer));
    });

    await test("the platform rejects an unknown client and a wrong project key", async () => {
      const refusal = async (change) => {
        try {
          await ask(change);
          return undefined;
        } catch (error) {
          check(error instanceof ApikeeError, `${error}`);
          return error;
        }
      };
      const unknown = await refusal({ client: "00000000-0000-4000-8000-000000000000" });
      check(unknown instanceof PlatformError && unknown.code !== "SERVER_UNAVAILABLE", `${unknown?.code}`);
      check((await refusal({ projectKey: "sk_test_wrong" })).code === "SERVER_FAULT", "the project key");
    });

    await test("a redirect is not followed", async () => {
      const session = server.establish();
      const question = session.validateRequest({
        baseUrl: platform.redirects, projectKey: "sk_test_x", projectEnv: "e", client: platform.client, method: "GET", path: "/",
      });
      const response = await fetch(question.url, question);
      check((await codeOfLater(api, () => session.readAnswer(response))) === "SERVER_FAULT", "SERVER_FAULT");
    });
  }
  return done;
}
