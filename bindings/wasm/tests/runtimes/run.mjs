// Runs the installed package in each runtime. `test` passes its folder in PLACE, the command in APIKEE, and the browser
// in CHROMIUM. A runtime that does not start here counts as "not run", not as "passed".
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { copyFileSync, cpSync, createReadStream, mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { promisify } from "node:util";

const { PLACE, APIKEE, CHROMIUM } = process.env;
const here = new URL(".", import.meta.url).pathname;
for (const name of readdirSync(here)) if (name !== "run.mjs") copyFileSync(path.join(here, name), path.join(PLACE, name));
// The README's programs, from the README in the package.
mkdirSync(path.join(PLACE, "readme"), { recursive: true });
const fences = readFileSync(path.join(PLACE, "node_modules/apikee-wasm/README.md"), "utf8").matchAll(/^```js\n\/\/ (\w+\.mjs)\n[^]*?(?=^```$)/gm);
for (const [text, name] of fences) writeFileSync(path.join(PLACE, "readme", name), text.slice("```js\n".length));
const tool = (name) => path.join(PLACE, "node_modules/.bin", name);
const CLIENT = "497f6eca-6276-4993-bfeb-53cbbbba6f08";

const run = promisify(execFile);
const call = (command, args, env = {}) => run(command, args, {
  cwd: PLACE, timeout: 60_000, maxBuffer: 1 << 24,
  env: { PATH: process.env.PATH, HOME: PLACE, TMPDIR: PLACE, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env },
});
const started = [];
function start(command, args, options) {
  const child = spawn(command, args, { cwd: PLACE, ...options });
  started.push(child);
  return child;
}
async function firstLine(stream) {
  for await (const line of readline.createInterface({ input: stream })) return line;
  throw new Error("it ended without a word");
}

const emulator = start(APIKEE, ["platform", "--json", "--until-eof", "--client", `acme-corp=${CLIENT}`], {
  stdio: ["pipe", "pipe", "inherit"], env: {},
});
const told = JSON.parse(await firstLine(emulator.stdout));

// A server for pages: serves the package and the tests, forwards calls to the platform, and redirects.
const TYPES = { ".mjs": "text/javascript", ".wasm": "application/wasm" };
const imports = JSON.stringify({ imports: { "apikee-wasm": `/node_modules/apikee-wasm/${
  JSON.parse(readFileSync(path.join(PLACE, "node_modules/apikee-wasm/package.json"))).exports["."].browser}` } });
const page = `<!doctype html><meta charset="utf-8"><body><script nonce="n" type="importmap">${imports}</script>
<script nonce="n" type="module" src="/page.mjs"></script>`;
let followed = 0;
const site = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://site");
  if (pathname.startsWith("/api/v1/")) {
    const { host, port } = new URL(told.url);
    // The platform refuses the origin of another page.
    const { origin: _, ...headers } = request.headers;
    const forward = http.request({ hostname: "127.0.0.1", port, path: request.url, method: request.method, headers: { ...headers, host } },
      (answer) => answer.pipe(response.writeHead(answer.statusCode, answer.headers)));
    request.pipe(forward.on("error", () => response.destroy()));
  } else if (pathname.startsWith("/redirects/")) {
    request.resume();
    response.writeHead(307, { location: "/followed" }).end();
  } else if (pathname === "/followed") {
    followed += 1;
    response.end("{}");
  } else if (pathname === "/page") {
    const policy = searchParams.get("policy");
    response.writeHead(200, { "content-type": "text/html", ...(policy && { "content-security-policy": policy }) }).end(page);
  } else {
    const file = path.join(PLACE, path.normalize(pathname));
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) response.writeHead(404).end();
    else createReadStream(file).pipe(response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "text/plain" }));
  }
});
await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${site.address().port}`;

const vectors = JSON.parse(readFileSync(new URL("../../../../tests/vectors/keys.json", import.meta.url))).vectors;
const { secrets, key, now, expect } = vectors.find(({ expect }) => expect.ok);
const { createHash } = await import("node:crypto");
const settings = {
  platform: {
    url: told.url, publicKey: told.public_key, projectKey: told.project_key, projectEnv: told.project_env, client: CLIENT,
    redirects: `${origin}/redirects`,
  },
  vector: { secrets, key, now, tenant: expect.tenant, fingerprint: createHash("sha256").update(key).digest("hex") },
};
const SETTINGS = JSON.stringify(settings);

/** The names of the checks that a run printed. */
const names = ({ stdout }) => JSON.parse(stdout.trim().split("\n").at(-1));

async function node() {
  const done = names(await call(process.execPath, ["node.mjs"], { SETTINGS }));
  names(await call(process.execPath, ["node.mjs", "--no-registry"], { SETTINGS }));
  done.push("it loads without FinalizationRegistry");
  const load = `import("apikee-wasm").then(({ load }) => load()).catch((error) => console.log(error.name, error.code, error.message))`;
  const { stdout } = await call(process.execPath, ["--jitless", "-e", load]);
  assert.equal(stdout, "ApikeeError LOAD_FAILED this runtime has no WebAssembly\n");
  done.push("without WebAssembly the error says so");
  return done;
}

async function bun() {
  return names(await call(tool("bun"), ["run", "node.mjs"], { SETTINGS }));
}

async function deno() {
  const flags = ["--no-prompt", "--no-lock", "--node-modules-dir=manual"];
  const done = names(await call(tool("deno"), ["run", ...flags, "--allow-net=127.0.0.1", "--allow-env=SETTINGS", "deno.mjs"], { SETTINGS }));
  done.push("it needs only the network permission");
  await call(tool("deno"), ["check", ...flags.slice(1), "types.mts"]);
  // For local files, Deno finds the types through the comments in the modules.
  cpSync(path.join(PLACE, "node_modules/apikee-wasm"), path.join(PLACE, "vendored"), { recursive: true });
  const program = (type) => `import { load } from "./vendored/load/deno.mjs";
const tenant: ${type} = (await load()).keyring("s").verify("apikee_1.1").tenant;\ntenant;\n`;
  writeFileSync(path.join(PLACE, "good.ts"), program("string"));
  writeFileSync(path.join(PLACE, "bad.ts"), program("number"));
  await call(tool("deno"), ["check", "good.ts"]);
  await assert.rejects(call(tool("deno"), ["check", "bad.ts"]), /TS2322/);
  done.push("the types check");
  return done;
}

/** Starts a Worker with this source, bundled as for Cloudflare. Returns its address. */
async function worker(source, date, environment) {
  const out = mkdtempSync(path.join(PLACE, "worker-"));
  await call(tool("esbuild"), [source, "--bundle", "--format=esm", "--conditions=workerd,worker,browser", "--loader:.wasm=copy",
    "--asset-names=[name]", "--entry-names=worker", `--outdir=${out}`, "--log-level=warning"]);
  const wasm = readdirSync(out).filter((name) => name.endsWith(".wasm"));
  const bindings = Object.keys(environment).map((name) => `(name = "${name}", fromEnvironment = "${name}")`);
  writeFileSync(path.join(out, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "machine", network = (allow = ["local"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js"), ${wasm.map((name) => `(name = "${name}", wasm = embed "${name}")`).join(", ")}],
  compatibilityDate = "${date}", globalOutbound = "machine", bindings = [${bindings.join(", ")}],
);`);
  const child = start(tool("workerd"), ["serve", path.join(out, "config.capnp"), "--control-fd=3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"], env: { PATH: process.env.PATH, ...environment },
  });
  return { url: `http://127.0.0.1:${JSON.parse(await firstLine(child.stdio[3])).port}`, child };
}

async function workerd() {
  const done = [];
  for (const [date, registry] of [["2025-01-01", "undefined"], ["2026-11-01", "function"]]) {
    const { url, child } = await worker("worker.mjs", date, { SETTINGS });
    const outside = await (await fetch(`${url}/outside`)).json();
    assert.deepEqual(outside, {
      clock: 0, verify: "ApikeeError CLOCK_FAILED", issue: "ApikeeError RNG_FAILED", establish: "ApikeeError RNG_FAILED",
      bytes: "WASM_BLOCKED", inside: "ApikeeError EXPIRED", registry,
    });
    const answer = await fetch(url);
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    done.push(...JSON.parse(text).map((name) => `${name} (${date})`), `outside of a request no key is verified (${date})`);
    child.kill();
  }
  // The README's Worker, with more requests than there are keyrings.
  const { load } = await import(path.join(PLACE, "node_modules/apikee-wasm/load/node.mjs"));
  const keys = (await load()).keyring("a secret of the README");
  const { url, child } = await worker("readme/worker.mjs", "2025-01-01", { APIKEE_LOCAL_SECRET: "a secret of the README" });
  for (const [key, status, body] of [
    [keys.issue({ tenant: "acme-corp", scopes: ["read"] }), 200, '{"tenant":"acme-corp"}'],
    [keys.issue({ tenant: "acme-corp" }), 403, '{"error":"INSUFFICIENT_SCOPE","message":"the key lacks these scopes: read"}'],
    [undefined, 401, '{"error":"MISSING_KEY","message":"no key was given"}'],
  ]) {
    for (let n = 0; n < 40; n++) {
      const answer = await fetch(url, { headers: key && { "x-api-key": key } });
      assert.deepEqual([answer.status, await answer.text()], [status, body]);
    }
  }
  done.push("the README's Worker answers more requests than there are keyrings");
  child.kill();
  return done;
}

async function chromium() {
  const required = createRequire(path.join(PLACE, "x.js"))("puppeteer-core");
  const browser = await (required.default ?? required).launch({
    executablePath: CHROMIUM, headless: true, userDataDir: path.join(PLACE, "profile"),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  try {
    const open = async (query) => {
      const tab = await browser.newPage();
      await tab.goto(`${origin}/page${query}`);
      await tab.waitForFunction(() => globalThis.apikeeTest !== undefined, { timeout: 20_000 });
      return tab;
    };
    const tab = await open("");
    // Pages reach the platform through their own origin.
    const own = { ...settings, platform: { ...settings.platform, url: `${origin}/api/v1` } };
    const done = await tab.evaluate((settings) => globalThis.apikeeTest.found(settings), own);
    const policy = (more) => `?policy=${encodeURIComponent(`script-src 'self' 'nonce-n'${more}`)}`;
    const blocked = await (await open(policy(""))).evaluate(() => globalThis.apikeeTest.loaded());
    assert.deepEqual([blocked.name, blocked.code], ["ApikeeError", "WASM_BLOCKED"], JSON.stringify(blocked));
    assert.match(blocked.message, /'wasm-unsafe-eval'/);
    assert.equal(await (await open(policy(" 'wasm-unsafe-eval'"))).evaluate(() => globalThis.apikeeTest.loaded()), "apikee_");
    done.push("the error names a content security policy that blocks the module, and 'wasm-unsafe-eval' permits it");
    return done;
  } finally {
    await browser.close();
  }
}

async function readme() {
  const keys = await call(process.execPath, ["readme/keys.mjs"]);
  assert.equal(keys.stdout, "acme-corp pro 64\n");
  const exchange = await call(process.execPath, ["readme/exchange.mjs"], {
    APIKEE_LOCAL_SECRET: "a secret", APIKEE_BASE_URL: told.url, APIKEE_SERVER_KEY: told.project_key,
    APIKEE_PROJECT_ENV: told.project_env, APIKEE_SERVER_PUBLIC_KEY: told.public_key,
  });
  assert.equal(exchange.stdout, "acme-corp\n");
  return ["its programs run"];
}

const RUNTIMES = [
  ["README", process.execPath, readme], ["Node", process.execPath, node], ["Deno", tool("deno"), deno], ["Bun", tool("bun"), bun],
  ["workerd", tool("workerd"), workerd], ["Chromium", CHROMIUM, chromium],
];
const summary = [];
let failed = false;
for (const [name, command, checks] of RUNTIMES) {
  let version;
  try {
    version = (await call(command, ["--version"])).stdout.split("\n")[0].trim();
  } catch (error) {
    summary.push(`${name}: NOT RUN, it does not start here: ${error.message.split("\n").slice(0, 2).join(" ")}`);
    continue;
  }
  const start = performance.now();
  try {
    const done = await checks();
    console.log(`${name}:\n  ${done.join("\n  ")}`);
    summary.push(`${name} (${version}): passed ${done.length} checks in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  } catch (error) {
    failed = true;
    console.error(`${name}: ${error.stack ?? error}\n${error.stderr ?? ""}`);
    summary.push(`${name} (${version}): FAILED`);
  }
}
if (followed > 0) {
  failed = true;
  summary.push(`a redirect was followed ${followed} times`);
}
for (const child of started) child.kill();
site.close();
site.closeAllConnections();
console.log(summary.join("\n"));
process.exitCode = failed ? 1 : 0;
