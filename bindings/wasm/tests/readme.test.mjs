// Tests the README's code that needs no platform.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { load } from "./support.mjs";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("APIKEE_SECRETS is read like in the crate", () => {
  const [, expression] = /`(process\.env\.APIKEE_SECRETS\?\.[^`]+)`/.exec(readme);
  const read = (APIKEE_SECRETS) => new Function("process", `return ${expression}`)({ env: { APIKEE_SECRETS } });
  for (const [value, secrets] of [
    [undefined, undefined], ["", []], [" , ,", []], ["a", ["a"]], ["new,old\n", ["new", "old"]],
    [" new , , a b\t,", ["new", "a b"]],
  ]) {
    assert.deepEqual(read(value), secrets);
  }
});

test("the Worker trims its secret, and answers with the SDKs' members, which caches must not keep", async () => {
  const [, program] = /^```js\n(\/\/ worker\.mjs\n[^]*?)^```$/m.exec(readme);
  const folder = mkdtempSync(path.join(tmpdir(), "apikee-"));
  try {
    const file = path.join(folder, "worker.mjs");
    writeFileSync(file, program.replace('"apikee-wasm"', JSON.stringify(new URL("../load/node.mjs", import.meta.url))));
    const { default: worker } = await import(pathToFileURL(file));
    const keys = load().keyring("a secret");
    for (const [key, status, body] of [
      [keys.issue({ tenant: "acme-corp", scopes: ["read"] }), 200, { tenant: "acme-corp" }],
      [keys.issue({ tenant: "acme-corp" }), 403, { error: "INSUFFICIENT_SCOPE", message: "the key lacks these scopes: read" }],
      [keys.issue({ tenant: "t" }, { now: 1_700_000_000 }), 401, { error: "EXPIRED", message: "the key has expired" }],
      [undefined, 401, { error: "MISSING_KEY", message: "no key was given" }],
    ]) {
      const request = new Request("http://localhost/", { headers: key && { "x-api-key": key } });
      const answer = await worker.fetch(request, { APIKEE_LOCAL_SECRET: " a secret\n" });
      assert.deepEqual([answer.status, await answer.json()], [status, body]);
      assert.equal(answer.headers.get("cache-control"), "no-store");
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
