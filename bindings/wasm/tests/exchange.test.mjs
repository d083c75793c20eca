// Tests the calls to the platform and their answers: with `apikee platform` and each of its faults.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createCipheriv, createPublicKey, createSign, diffieHellman, generateKeyPairSync, hkdfSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { question } from "../exchange.mjs";
import { codeOf, errorOf, load } from "./support.mjs";

const CLIENT = "497f6eca-6276-4993-bfeb-53cbbbba6f08";
const NOW = 1_795_486_905.017;
const GIVEN = { projectKey: "sk_test_example", projectEnv: "my-app-production", client: CLIENT, method: "GET", path: "/users", now: NOW };
const ask = (change) => question({ ...GIVEN, ...change }, (now) => Math.round(now * 1000));
const server = load().serverKey(new Uint8Array(32).fill(9));

test("a validate call is the same as the published SDK's", () => {
  const { exchanges } = JSON.parse(readFileSync(new URL("../../../tests/vectors/http.json", import.meta.url)));
  let compared = 0;
  for (const { target, headers, body } of exchanges) {
    const { pathname, searchParams } = new URL(target, "http://x");
    if (!/\/client\/./.test(pathname)) continue;
    const [method, route] = searchParams.get("method_path").split(":::");
    const { url, headers: fields, plaintext } = ask({ method, path: route, keyName: body.name, headers: body.headers, payload: body.payload });
    // The query is left out.
    assert.equal(url, `https://apikee.dev${target.replace(/%3F.*/, "")}`);
    const { timestamp, ...rest } = JSON.parse(plaintext);
    const { timestamp: theirs, ...expected } = body;
    assert.deepEqual(rest, expected);
    assert.deepEqual(Object.keys(JSON.parse(plaintext)), Object.keys(body));
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Number.isFinite(Date.parse(theirs)));
    for (const name of ["Content-Type", "X-Apikee-Encrypted"]) assert.equal(fields[name], headers[name]);
    assert.equal(fields["x-api-key"], headers["X-Api-Key"]);
    assert.match(fields["User-Agent"], /^apikee-wasm\/\d/);
    compared += 1;
  }
  assert.ok(compared >= 4);
});

test("no part of a call can change another part", () => {
  // The output of Python's `quote_plus` for all ASCII characters.
  const all = String.fromCharCode(...Array(128).keys()).replace(/[?#]/g, "");
  const { url } = ask({ path: `/${all}`, projectEnv: all });
  const encoded = [...all].map((c) => (/[A-Za-z0-9_.~-]/.test(c) ? c : c === " " ? "+" : `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)).join("");
  assert.equal(url, `https://apikee.dev/api/v1/client/${CLIENT}?project_env=${encoded}&method_path=GET%3A%3A%3A%2F${encoded}`);
  assert.equal(new URL(url).hash, "");
  for (const [path, route] of [["users", "/users"], ["/users?key=1", "/users"], ["/users#x", "/users"], ["", "/"], ["?", "/"], ["//a", "//a"]]) {
    assert.equal(new URL(ask({ path }).url).searchParams.get("method_path"), `GET:::${route}`);
  }
  assert.equal(ask({ method: "patch", client: CLIENT.toUpperCase() }).signedText, `${CLIENT}|PATCH:::/users|2026-11-24T02:21:45.017Z`);
});

test("a key in the path or the method is cut", () => {
  const key = "apikee_1234567890abcdef.ABCDEF";
  for (const [given, route] of [
    [{ path: `/users/${key}` }, "GET:::/users/apikee_12345"], [{ path: `/users/${key}/orders` }, "GET:::/users/apikee_12345"],
    [{ path: `/apikee_${key}` }, "GET:::/apikee_apike"], [{ path: "/apikee_abcapikee_a.b/c" }, "GET:::/apikee_abcap"], [{ path: "/apikee_1.1" }, "GET:::/apikee_1"], [{ method: key }, "APIKEE_12345:::/users"],
    [{ path: "/apikee_documents/a.html" }, "GET:::/apikee_documents/a.html"], [{ path: `/${"apikee_".repeat(800)}` }, `GET:::/${"apikee_".repeat(800)}`],
  ]) {
    const { url, signedText } = ask(given);
    assert.equal(new URL(url).searchParams.get("method_path"), route);
    assert.equal(signedText.split("|")[1], route);
  }
  // This takes linear time.
  assert.equal(codeOf(() => ask({ path: `/${"apikee_".repeat(1e5)}` })), "TOO_LONG");
});

test("header fields come from objects, lists and Headers, and fields with the same name are joined", () => {
  const headersOf = (headers) => JSON.parse(ask({ headers }).plaintext).headers;
  assert.deepEqual(headersOf(undefined), {});
  assert.deepEqual(headersOf({ via: ["a", "b"], accept: undefined, "user-agent": null, Via: "c" }), { via: "a, b, c" });
  assert.deepEqual(headersOf(new Headers({ Accept: "*/*" })), { accept: "*/*" });
  assert.deepEqual(headersOf([["X-A", "1"], ["x-a", "2"]]), { "X-A": "1, 2" });
  assert.deepEqual(headersOf(new Map([["__proto__", "a\r\nb\tc"]])), Object.fromEntries([["__proto__", "abc"]]));
  for (const headers of [7, "a", null, { a: 7 }, { "a b": "c" }, { "": "c" }, [["a"], "bc"], [["a", "b", "c"]], [[1, "b"]], { a: "\ud800" }, { a: [1] }]) {
    const code = codeOf(() => ask({ headers }));
    assert.equal(code, "INVALID_ARGUMENT", JSON.stringify(headers));
  }
});

test("a payload is sent as it is written, and only if all readers agree on it", () => {
  const front = '{"name":"default","timestamp":"2026-11-24T02:21:45.017Z","headers":{}';
  assert.equal(ask({}).plaintext, `${front}}`);
  for (const payload of [
    "{}", '{"user":9007199254740993}', '{"x":1e999,"y":-0.0}', '{"2":1,"1":2,"__proto__":{}}',
    ' {\n"b" : [ 1.50, {"b":"\\u00e9\\ud83d\\ude00 \\\\\\" {]:"} ] } ',
    '{"a":{"a":{"a":["a","a",{"b":1},{"b":1}]}},"b":{"a":""}}',
  ]) {
    assert.equal(ask({ payload }).plaintext, `${front},"payload":${payload}}`);
  }
  for (const payload of [{}, { a: ["\u{1f600}", "\\ud800", { b: null }], c: { a: 1.5 } }]) {
    assert.equal(ask({ payload }).plaintext, `${front},"payload":${JSON.stringify(payload)}}`);
  }
  const refused = {
    "payload has two members with the same name": [
      '{"a":1,"a":2}', '{"a":1,"\\u0061" :2}', '{"x":[{"b":{"a":1,"c":[{}],"a":2}}]}', '{"":1,"":1}',
    ],
    "payload has an unpaired surrogate": [
      '{"a":"\ud800"}', '{"a":"\\uDFFF"}', '{"\\ud800":1}', '{"a":["\\ud800\\ud800\\udc00"]}', { a: "\ud800" },
      { "\udc00x": 1 },
    ],
    "payload must be an object, or the JSON of one": [
      "{}{}", '{}, "x":1', '"{"', "[{}]", "null", "7", '{"a":1,}', "\ufeff{}", "{'a':1}", [{}], null,
    ],
  };
  for (const [message, payloads] of Object.entries(refused)) {
    for (const payload of payloads) {
      const error = errorOf(() => ask({ payload }));
      assert.deepEqual([error?.code, error?.message], ["INVALID_ARGUMENT", message], JSON.stringify(payload));
    }
  }
  // A longer body is not sent, so it need not be read.
  const escapes = (count) => `{"a":"${"\\n".repeat(count)}"}`;
  assert.ok(ask({ payload: escapes(32_000) }).plaintext.includes(escapes(32_000)));
  assert.equal(codeOf(() => ask({ payload: escapes(1e7) })), "TOO_LONG");
});

test("an invalid call is refused", () => {
  for (const change of [
    { projectKey: undefined }, { projectKey: "" }, { projectKey: "a b" }, { projectKey: "a\r\nx: y" }, { projectKey: "k".repeat(257) }, { projectKey: 7 }, { projectKey: "apikee_1.1" }, { projectEnv: "sk_test_1" },
    { projectEnv: undefined }, { projectEnv: "" }, { projectEnv: 7 }, { client: undefined }, { client: "acme-corp" }, { client: `${CLIENT}/..` },
    { method: undefined }, { method: "" }, { method: "GET /" }, { method: "G\u00c9T" }, { path: undefined }, { path: 7 }, { path: "\ud800" },
    { keyName: "" }, { payload: [] }, { payload: "[]" }, { payload: "{" }, { payload: null }, { payload: 7 }, { payload: new Map() },
    { allowPlainHttp: "true" }, { allowPlainHttp: 1 },
    ...["", "apikee.dev", "ftp://apikee.dev", "http://apikee.dev", "http://127.0.0.1.example", "http://localhost.example", "https://user@apikee.dev",
      "https://:pw@apikee.dev", "https://apikee.dev?x", "https://apikee.dev#x", "https://apikee.dev?", "https://apikee.dev#", "https:apikee.dev", "javascript:1", "file:///x", 7, null].map((baseUrl) => ({ baseUrl })),
    { project: "x" }, { base_url: "x" },
  ]) {
    assert.equal(codeOf(() => ask(change)), "INVALID_ARGUMENT", JSON.stringify(change));
  }
  for (const [baseUrl, more, front] of [
    ["https://apikee.dev/api/v1//", {}, "https://apikee.dev/api/v1/client/"],
    ["http://127.0.0.1:8080", {}, "http://127.0.0.1:8080/client/"],
    ["http://[::1]:8080/x", {}, "http://[::1]:8080/x/client/"],
    ["http://localhost/api", {}, "http://localhost/api/client/"],
    ["http://10.0.0.1/api", { allowPlainHttp: true }, "http://10.0.0.1/api/client/"],
  ]) {
    assert.ok(ask({ baseUrl, ...more }).url.startsWith(front));
  }
});

/** A test platform: it answers with the given text, sealed. */
const { publicKey, privateKey } = generateKeyPairSync("x25519");
const POINT = Buffer.from("302a300506032b656e032100", "hex");
const OWN = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
const own = load().serverKey(OWN);
function sealed(envelope, plaintext) {
  const epk = Buffer.from(JSON.parse(envelope).epk, "base64url");
  const theirs = createPublicKey({ key: Buffer.concat([POINT, epk]), type: "spki", format: "der" });
  const key = hkdfSync("sha256", diffieHellman({ privateKey, publicKey: theirs }), "", "apikee-v1", 32);
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(key), iv);
  const ct = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return JSON.stringify({ v: "1", epk: OWN.toString("base64url"), iv: iv.toString("base64url"), ct: ct.toString("base64url") });
}

async function verdict(plaintext, change) {
  const session = own.establish();
  const { body } = session.validateRequest({ ...GIVEN, projectEnv: "my-app", ...change });
  try {
    assert.equal((await session.readAnswer(new Response(sealed(body, plaintext)))).success, true);
    return undefined;
  } catch (error) {
    assert.equal(error.name, "ApikeeError", error.stack);
    assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
    return error;
  }
}

test("only success is the verdict, and the answer must be about the request", async () => {
  for (const text of ['{"success":true}', `{"success":true,"clientId":"${CLIENT.toUpperCase()}","project_env":"my-app","method_path":"GET:::/users","more":[1]}`,
    '{"success":true,"method_path":"GET:\\/users","clientId":null,"project_env":null}', ' { "succ\\u0065ss" : true } ']) {
    assert.equal((await verdict(text))?.code, undefined, text);
  }
  for (const [text, code] of [
    ["", "MALFORMED_ANSWER"], ["true", "MALFORMED_ANSWER"], ["null", "MALFORMED_ANSWER"], ["[]", "MALFORMED_ANSWER"], ["[true]", "MALFORMED_ANSWER"],
    ['"success"', "MALFORMED_ANSWER"], ['{"success":true', "MALFORMED_ANSWER"], ['\ufeff{"success":true}', "MALFORMED_ANSWER"],
    ['{"success":false,"success":true}', "MALFORMED_ANSWER"], ['{"success":true}{"success":true}', "MALFORMED_ANSWER"], [Buffer.from([0xff]), "MALFORMED_ANSWER"],
    ['{"success":true,"clientId":7}', "MALFORMED_ANSWER"], ['{"success":false,"method_path":{}}', "MALFORMED_ANSWER"],
    ["{}", "NO_VERDICT"], ['{"success":1}', "NO_VERDICT"], ['{"success":"true"}', "NO_VERDICT"], ['{"success":null}', "NO_VERDICT"],
    ['{"Success":true}', "NO_VERDICT"], ['{"__proto__":{"success":true}}', "NO_VERDICT"], ['{"answer":{"success":true}}', "NO_VERDICT"],
  ]) {
    assert.equal((await verdict(text))?.code, code, text);
  }
  for (const members of ['"clientId":"497f6eca-6276-4993-bfeb-53cbbbba6f09"', '"clientId":""', '"project_env":"my-app2"', '"project_env":""',
    '"method_path":"POST:::/users"', '"method_path":"GET:::/users/"', '"method_path":"get:::/users"', '"method_path":""']) {
    for (const success of [true, false]) {
      assert.equal((await verdict(`{"success":${success},${members}}`))?.code, "ANOTHER_REQUEST", members);
    }
    assert.equal((await verdict(`{"success":false}`))?.code, "SERVER_REJECTED");
  }
  Object.prototype.success = true;
  try {
    assert.equal((await verdict("{}"))?.code, "NO_VERDICT");
  } finally {
    delete Object.prototype.success;
  }
});

const reasonFor = async (answer, change) => (await verdict(JSON.stringify({ success: false, ...answer }), change)).reason;

test("the platform's reason is its error, or else its code, and its message", async () => {
  const error = await verdict('{"success":false,"error":"IP_NOT_ALLOWED","message":"a\\nb"}');
  assert.deepEqual([error.reason, error.httpStatus], ["IP_NOT_ALLOWED: a\\nb", 401]);
  for (const [answer, reason] of [
    [{}, undefined], [{ error: "" }, undefined], [{ code: "A", error: null }, "A"], [{ code: "A", error: "" }, "A"], [{ error: "", message: "b" }, "b"], [{ error: "A", message: "" }, "A"], [{ error: "A", code: "B" }, "A"], [{ message: "b" }, "b"],
  ]) {
    assert.equal(await reasonFor(answer), reason);
  }
});

test("a reason is escaped like the crate's", async () => {
  for (const [text, spelt] of [
    ["it's a", "it's a"], ["a\r\n\t\"b\"\\", "a\\r\\n\\t\\\"b\\\"\\\\"], ["\0", "\\0"], ["caf\u00e9 \u{1f600}", "caf\u00e9 \u{1f600}"],
    ["\u001b[31m\u202e\u007f\u009b", "\\u{1b}[31m\\u{202e}\\u{7f}\\u{9b}"], ["\u2028\u00a0\u00ad\ufeff\u{e0001}", "\\u{2028}\\u{a0}\\u{ad}\\u{feff}\\u{e0001}"],
    ["\ue000\u0378e\u0301", "\\u{e000}\\u{378}e\\u{301}"],
  ]) {
    assert.equal(await reasonFor({ error: text }), spelt);
    assert.equal(await reasonFor({ message: text }), spelt);
  }
});

test("a long reason is cut between characters and never within an escape", async () => {
  for (const [c, spelt] of [["a", "a"], ["\u00e9", "\u00e9"], ["\u{1f600}", "\u{1f600}"], ["\n", "\\n"], ["\u007f", "\\u{7f}"]]) {
    for (let before = 0; before < 8; before++) {
      const fitting = Math.floor((100 - before) / Buffer.byteLength(spelt));
      const reason = await reasonFor({ error: "x".repeat(before) + c.repeat(999) });
      assert.equal(reason, "x".repeat(before) + spelt.repeat(fitting));
    }
  }
});

// The cases are those of the crate's test with this name.
test("a secret that the platform repeats is in no error and no object", async () => {
  const LIVE_KEY = "sk_live_8f3kQz7Lw2Vn5RtYb1Xc9MdP";
  const key = load().keyring("secret").issue({ tenant: CLIENT });
  const [payload, signature] = key.slice("apikee_".length).split(".");
  const shown = key.slice(0, 12);
  const [x, keyAndMore] = ["x".repeat(80), `${key} is not active`];
  const secret = new RegExp([LIVE_KEY, payload, signature].flatMap((text) => Array.from({ length: text.length - 8 }, (_, at) => text.slice(at, at + 9))).join("|"));
  for (const [code, message, reason] of [
    ["NO_ACCESS", `project key ${LIVE_KEY} has no access`, "NO_ACCESS"],
    [LIVE_KEY, "no access", "no access"],
    [LIVE_KEY, key, shown],
    ["A", `${LIVE_KEY.slice(0, 9)}...`, "A"],
    ["A", `...${LIVE_KEY.slice(20)}`, "A"],
    ["A", `${x}${LIVE_KEY}`, "A"],
    ["A", "use an sk_live_ key", "A: use an sk_live_ key"],
    ["A", `key ${keyAndMore}`, `A: key ${shown} is not active`],
    ["A", `${keyAndMore}, ${keyAndMore}`, `A: ${shown} is not active, ${shown} is not active`],
    ["A", `${x}${key}`, `A: ${x}${shown}`],
    ["A", `${x}${payload}`, "A"],
    ["A", `${key.slice(0, 30)}, and more`, "A"],
    ["A", `signature ${signature}`, "A"],
    [keyAndMore, LIVE_KEY, `${shown} is not active`],
    [LIVE_KEY, LIVE_KEY, undefined],
    ["A", "no key apikee_AAAA.BBBB, apikee_1.1 or apikee_docs", "A: no key apikee_AAAA, apikee_1 or apikee_docs"],
    ["A", `${key}${key} and apikee_client_1.2.tar.gz`, `A: ${shown} and apikee_client_1.2.tar.gz`],
  ]) {
    for (const headers of [{ "x-api-key": key }, [["Authorization", `Bearer ${key}`]]]) {
      const session = own.establish();
      const { body } = session.validateRequest({ ...GIVEN, projectKey: LIVE_KEY, headers });
      const answer = JSON.stringify({ success: false, error: code, message }).replace(/_/g, "\\u005f").replace(/7/g, "\\u0037");
      assert.doesNotMatch(inspect(session, { showHidden: true, depth: 9 }), secret);
      const error = await session.readAnswer(new Response(sealed(body, answer))).catch((error) => error);
      assert.equal(error.reason, reason, `${code}: ${message}`);
      for (const text of [inspect(error, { showHidden: true, depth: 9 }), inspect(session, { showHidden: true }), JSON.stringify(error)]) {
        assert.doesNotMatch(text, secret);
      }
    }
  }
  // A shorter secret is searched for as a whole.
  assert.equal(await reasonFor({ error: "A", message: "no sk_1 here" }, { projectKey: "sk_1" }), "A");
});

const running = [];
after(() => running.forEach((child) => child.kill()));

async function platform(...flags) {
  const child = spawn(process.env.APIKEE, ["platform", "--json", "--until-eof", "--client", `acme-corp=${CLIENT}`, ...flags], {
    stdio: ["pipe", "pipe", "inherit"], env: {},
  });
  running.push(child);
  const lines = readline.createInterface({ input: child.stdout });
  const told = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
  const server = load().serverKey(told.public_key);
  return async (change = {}, headers = () => ({})) => {
    const session = server.establish();
    try {
      const { now, ...given } = GIVEN;
      const asked = session.validateRequest({
        ...given, baseUrl: told.url, projectKey: told.project_key, projectEnv: told.project_env, ...change,
      });
      const response = await fetch(asked.url, { ...asked, headers: { ...asked.headers, ...headers(asked) }, signal: AbortSignal.timeout(5000) });
      const answer = await session.readAnswer(response);
      assert.equal(answer.success, true);
      return undefined;
    } catch (error) {
      // Errors of `fetch` do not have our codes.
      return error.name === "ApikeeError" ? error : { code: "fetch" };
    } finally {
      // The session has freed its place, also after an error.
      session.free();
    }
  };
}

for (const [fault, ...codes] of [
  ["status:503", "SERVER_UNAVAILABLE"], ["status:500", "SERVER_UNAVAILABLE"], ["unavailable:5", "SERVER_UNAVAILABLE"],
  ["status:404", "SERVER_FAULT"], ["status:401", "SERVER_FAULT"], ["status:418", "SERVER_FAULT"], ["redirect:http://127.0.0.1:1/", "SERVER_FAULT"],
  ["status:403", "SERVER_REJECTED"], ["status:429", "SERVER_REJECTED"], ["refuse", "SERVER_REJECTED"],
  ["reset", "fetch", "SERVER_UNAVAILABLE"], ["hang-up", "fetch", "SERVER_UNAVAILABLE"], ["truncate", "SERVER_UNAVAILABLE"],
  ["garbage", "MALFORMED_ENVELOPE"], ["oversized:300000", "SERVER_FAULT"], ["unsealed", "UNSEALED"],
  ["forged", "FORGED"], ["impostor", "WRONG_KEY"], ["reflected", "WRONG_KEY", "REFLECTED"], ["delay:50ms"], ["drip:1ms"], ["close-idle"],
]) {
  test(`a platform with the fault ${fault}: ${codes.join(" or ") || "no error"}`, async () => {
    const ask = await platform("--fault", fault);
    // Each request has a new key, so a replayed answer is found from the second request on.
    const error = await ask();
    assert.ok(codes.length === 0 ? error === undefined : codes.includes(error?.code), `${error?.code}: ${error?.message}`);
  });
}

test("an answer to an earlier request is refused", async () => {
  const ask = await platform("--fault", "replayed");
  const codes = [(await ask())?.code, (await ask())?.code];
  assert.equal(codes[1], "FORGED", `${codes}`);
});

test("an exceeded limit and a forbidden address are rejections", async () => {
  const limited = await platform("--hourly", "2");
  assert.deepEqual([await limited(), await limited()], [undefined, undefined]);
  const error = await limited();
  assert.equal(error.code, "SERVER_REJECTED");
  assert.ok(error.httpStatus === 401 && (error.retryAfter === undefined || error.retryAfter > 0));
  const elsewhere = await platform("--ip", "203.0.113.0/24");
  assert.equal((await elsewhere()).code, "SERVER_REJECTED");
});

test("a project that requires signatures accepts signed requests", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" } });
  const folder = mkdtempSync(path.join(tmpdir(), "apikee-"));
  const file = path.join(folder, "key.pem");
  writeFileSync(file, publicKey);
  try {
    const ask = await platform("--signing-key", file);
    const sign = (text) => ({ "x-apikee-signature": createSign("sha256").update(text).sign(privateKey, "base64url") });
    assert.equal(await ask({}, ({ signedText }) => sign(signedText)), undefined);
    assert.notEqual(await ask({}, ({ signedText }) => sign(`${signedText}x`)), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Fetches an HTTP answer from a server of this test. */
async function answered(status, body, headers = {}) {
  const site = http.createServer((request, response) => {
    request.resume();
    response.writeHead(status, headers);
    if (typeof body === "function") body(response);
    else response.end(body);
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  try {
    const session = server.establish();
    const asked = session.validateRequest({ ...GIVEN, now: undefined, baseUrl: `http://127.0.0.1:${site.address().port}` });
    const response = await fetch(asked.url, asked);
    const error = await session.readAnswer(response).then(() => undefined, (error) => error);
    assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
    return error;
  } finally {
    site.closeAllConnections();
    site.close();
  }
}

test("each status has its meaning, and only 200 to 299 is read", async () => {
  for (const [status, code] of [
    [200, "UNSEALED"], [299, "UNSEALED"], [204, "MALFORMED_ENVELOPE"], [301, "SERVER_FAULT"], [304, "SERVER_FAULT"], [308, "SERVER_FAULT"], [400, "SERVER_FAULT"],
    [401, "SERVER_FAULT"], [403, "SERVER_REJECTED"], [408, "SERVER_FAULT"], [429, "SERVER_REJECTED"], [500, "SERVER_UNAVAILABLE"],
    [599, "SERVER_UNAVAILABLE"], [600, "SERVER_FAULT"],
  ]) {
    assert.equal((await answered(status, '{"success":true}', { location: "/" })).code, code, `${status}`);
  }
  for (const [after, expected] of [["30", 30], ["x", undefined], ["-1", undefined], ["1e9", undefined], ["99999999999", 4294967295]]) {
    assert.equal((await answered(429, "", { "retry-after": after })).retryAfter, expected);
  }
});

test("an endless answer is cut off", async () => {
  const endless = (response) => {
    const more = () => { while (!response.destroyed && response.write("x".repeat(1 << 14))); };
    response.on("drain", more);
    more();
  };
  assert.equal((await answered(200, endless)).code, "SERVER_FAULT");
  assert.equal((await answered(200, (response) => response.write("x", () => response.destroy()))).code, "SERVER_UNAVAILABLE");
});

test("a long answer without a stream is refused as too long", async () => {
  const session = server.establish();
  session.validateRequest({ ...GIVEN, now: undefined });
  const response = { status: 200, body: null, arrayBuffer: async () => new ArrayBuffer(65_537) };
  await assert.rejects(session.readAnswer(response), { code: "SERVER_FAULT", message: "the platform's answer is too long" });
  assert.equal((await answered(200, "x".repeat(65_536))).code, "MALFORMED_ENVELOPE");
  assert.equal((await answered(200, "x".repeat(65_537))).code, "SERVER_FAULT");
});

test("a whole envelope counts even if the connection breaks after it", async () => {
  for (const [text, cut, code] of [
    ['{"success":true}', 0, undefined], ['{"success":false}', 0, "SERVER_REJECTED"],
    ['{"success":false}', 1, "SERVER_UNAVAILABLE"], ['{"success":false}', 1000, "SERVER_UNAVAILABLE"],
    ['{"success":false,"clientId":7}', 0, "MALFORMED_ANSWER"], ["{}", 0, "NO_VERDICT"], ["{}", 0, "FREED"],
    ["plain", 0, "UNSEALED"], ["plain", 1, "SERVER_UNAVAILABLE"],
  ]) {
    const session = own.establish();
    const { body } = session.validateRequest({ ...GIVEN, now: undefined });
    const envelope = Buffer.from(text === "plain" ? '{"success":false}' : sealed(body, text));
    const parts = [envelope.subarray(0, Math.max(0, envelope.length - cut))];
    const stream = new ReadableStream({
      pull(all) {
        const part = parts.pop();
        if (code === "FREED") session.free();
        if (part?.length > 0) all.enqueue(new Uint8Array(part));
        else all.error(new Error("reset"));
      },
    });
    const error = await session.readAnswer(new Response(stream)).then(() => undefined, (error) => error);
    assert.equal(error?.code, code, `${text}, without ${cut}`);
  }
});

test("a whole envelope counts even if the program ends the call after it", async () => {
  for (const [cut, code] of [[0, "SERVER_REJECTED"], [1, "SERVER_FAULT"]]) {
    const session = own.establish();
    const envelope = Buffer.from(sealed(session.validateRequest({ ...GIVEN, now: undefined }).body, '{"success":false}'));
    const parts = [envelope.subarray(0, envelope.length - cut)];
    const reason = new DOMException("gone", "AbortError");
    const stream = new ReadableStream({ pull: (all) => (parts.length > 0 ? all.enqueue(new Uint8Array(parts.pop())) : all.error(reason)) });
    await assert.rejects(session.readAnswer(new Response(stream)), { code });
  }
});

test("an answer is read rightly from a stream that uses its buffer again", async () => {
  const session = own.establish();
  const { body } = session.validateRequest({ ...GIVEN, now: undefined });
  const envelope = Buffer.from(sealed(body, '{"success":true}'));
  const buffer = new Uint8Array(7);
  const reader = {
    at: 0,
    async read() {
      const part = envelope.subarray(this.at, this.at + 7);
      this.at += 7;
      buffer.set(part);
      return part.length > 0 ? { done: false, value: buffer.subarray(0, part.length) } : { done: true };
    },
  };
  const response = { status: 200, body: { getReader: () => reader }, arrayBuffer() {} };
  assert.equal((await session.readAnswer(response)).success, true);
});

test("a call that the program ends is not an outage, but a timeout is", async () => {
  class ResponseAborted extends Error {
    name = "ResponseAborted";
  }
  for (const [reason, code] of [
    [undefined, "SERVER_FAULT"], [null, "SERVER_FAULT"], ["the client has gone", "SERVER_FAULT"],
    [new ResponseAborted(), "SERVER_FAULT"], [new DOMException("late", "TimeoutError"), "SERVER_UNAVAILABLE"],
  ]) {
    const session = server.establish();
    session.validateRequest({ ...GIVEN, now: undefined });
    const { signal } = ((controller) => (controller.abort(reason), controller))(new AbortController());
    const stream = new ReadableStream({ pull: (all) => all.error(signal.reason) });
    await assert.rejects(session.readAnswer(new Response(stream)), { name: "ApikeeError", code, cause: signal.reason });
  }
});

test("a body that was read already is not an answer that was cut off", async () => {
  const [read, locked] = [new Response("{}"), new Response("{}")];
  await read.text();
  locked.body.getReader();
  const shady = { status: 200, body: null, arrayBuffer: async () => new ArrayBuffer(0), get bodyUsed() { throw new Error("mine"); } };
  const texts = new Response(new ReadableStream({ start(all) { all.enqueue("{}"); all.close(); } }));
  const broken = { status: 200, body: { getReader() { throw new Error("mine"); } }, arrayBuffer() {} };
  const [noReader, noParts] = [{}, { read: async () => undefined }].map((reader) => ({ status: 200, body: { getReader: () => reader }, arrayBuffer() {} }));
  const strange = { status: 200, body: null, arrayBuffer: async () => 1e12 };
  const moved = new ArrayBuffer(2);
  structuredClone(moved, { transfer: [moved] });
  const detached = { status: 200, body: null, arrayBuffer: async () => moved };
  for (const response of [read, locked, texts, shady, broken, noReader, noParts, strange, detached]) {
    const session = server.establish();
    session.validateRequest({ ...GIVEN, now: undefined });
    await assert.rejects(session.readAnswer(response), { name: "ApikeeError", code: "INVALID_ARGUMENT" });
  }
});

test("a key in the path is cut, also if it is percent-encoded", () => {
  for (const [path, shown] of [
    ["/users/apikee_1234567890abcdef.ABCDEF/orders", "GET:::/users/apikee_12345"],
    ["/users/apikee%5F1234567890abcdef.ABCDEF", "GET:::/users/apikee_12345"],
    ["/users/%61pikee_1234567890abcdef%2eABCDEF", "GET:::/users/apikee_12345"],
    ["/a%2fb%20c%7e", "GET:::/a%2Fb%20c~"], ["/%4%31", "GET:::/%4%31"], ["/%4%7e", "GET:::/%4%7E"], ["/%\u00e9%61", "GET:::/%\u00e9a"], ["/%%41", "GET:::/%%41"], ["/%c3%a9", "GET:::/%C3%A9"],
  ]) {
    assert.equal(new URL(ask({ path }).url).searchParams.get("method_path"), shown);
  }
});

test("long header fields of a caller are not sent", () => {
  const room = 16 * 1024 - Buffer.byteLength(JSON.stringify({ name: "default", timestamp: "2026-11-24T02:21:45.017Z", headers: { a: "" } }));
  assert.ok(ask({ headers: { a: "v".repeat(room) } }));
  for (const value of ["v".repeat(room + 1), '"'.repeat(room / 2 + 1), "\u00e9".repeat(room / 2 + 1)]) {
    assert.equal(codeOf(() => ask({ headers: { a: value } })), "TOO_LONG");
  }
  assert.ok(ask({ payload: { a: "v".repeat(20_000) } }));
});

test("a payload has at most 31 levels", () => {
  const nested = (levels) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  assert.ok(ask({ payload: nested(31) }));
  for (const levels of [32, 20_000]) assert.equal(codeOf(() => ask({ payload: nested(levels) })), "INVALID_ARGUMENT");
});

test("a URL that the platform's server may refuse is not sent", () => {
  const room = 7 * 1024 - ask({ path: "/" }).url.length;
  assert.equal(ask({ path: `/${"p".repeat(room)}` }).url.length, 7 * 1024);
  assert.equal(codeOf(() => ask({ path: `/${"p".repeat(room + 1)}` })), "TOO_LONG");
});

test("code of the caller that throws is named by an error of this module", () => {
  const thrower = () => { throw new TypeError("mine"); };
  for (const headers of [{ get a() { return thrower(); } }, { [Symbol.iterator]: thrower }, new Proxy({}, { ownKeys: thrower })]) {
    assert.equal(codeOf(() => ask({ headers })), "INVALID_ARGUMENT");
  }
});

test("a value that is not a response is refused, and the session is used up", async () => {
  for (const response of [undefined, null, "{}", {}, { status: 200 }, Promise.resolve(new Response("{}"))]) {
    const session = server.establish();
    session.validateRequest({ ...GIVEN, now: undefined });
    await assert.rejects(session.readAnswer(response), { name: "ApikeeError", code: "INVALID_ARGUMENT" });
    assert.equal(codeOf(() => session.open("{}")), "SESSION_USED");
  }
  // A session that has sealed something else, and one that has sealed nothing.
  const session = server.establish();
  await assert.rejects(session.readAnswer(new Response("{}")), { code: "SESSION_USED" });
  session.seal("{}");
  await assert.rejects(session.readAnswer(new Response("{}")), { code: "SESSION_USED" });
  const read = server.establish();
  read.validateRequest({ ...GIVEN, now: undefined });
  const both = await Promise.allSettled([read.readAnswer(new Response("{}")), read.readAnswer(new Response("{}"))]);
  assert.deepEqual(both.map(({ reason }) => reason.code), ["UNSEALED", "SESSION_USED"]);
});
