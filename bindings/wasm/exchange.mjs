// Writes the call to the platform about one request, and reads the answer: docs/WIRE.md, "The platform's API".
import * as checks from "./checks.mjs";
import { ApikeeError, PlatformError, invalid, tooLong } from "./errors.mjs";
import { keysIn, reasonOf, upToKey } from "./reason.mjs";

const BASE_URL = "https://apikee.dev/api/v1";
const USER_AGENT = "apikee-wasm/0.1.0";
/** A token of RFC 9110, section 5.6.2: a method, or the name of a header field. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Text that every HTTP implementation accepts in a header field: visible ASCII, at most 256 bytes. */
const PROJECT_KEY = /^[!-~]{1,256}$/;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const QUESTION = [
  "baseUrl", "projectKey", "projectEnv", "client", "method", "path", "keyName", "headers", "payload", "now", "allowPlainHttp",
];

/** Encodes like Python's `urlencode`, and so like the SDKs. */
const encoded = (text) =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, "+");

/**
 * Normalizes escapes like the guard (RFC 3986, sections 6.2.2.1 and 6.2.2.2). Otherwise a key could be hidden. An escape
 * within an incomplete one is not decoded: its character would complete an escape that nobody wrote.
 */
const normalized = (path) =>
  path.replace(/%[0-9a-f]{2}/gi, (escape, at) => {
    const character = String.fromCharCode(parseInt(escape.slice(1), 16));
    const isWithin = /%[\0-\x7f]?$/.test(path.slice(Math.max(0, at - 2), at));
    return !isWithin && /[\w.~-]/.test(character) ? character : escape.toUpperCase();
  });

/** The base of the platform's URLs. The project key is sent there, so it must be HTTPS or this machine. */
function base(given, allowPlainHttp) {
  let url;
  try {
    url = new URL(checks.text(given, "baseUrl"));
  } catch (cause) {
    throw cause instanceof ApikeeError ? cause : invalid("baseUrl must be a URL");
  }
  const { protocol, hostname, username, password } = url;
  if (!/^https?:\/\//i.test(given)) throw invalid("baseUrl must start with https://");
  if (`${username}${password}` !== "" || /[?#]/.test(given)) throw invalid("baseUrl must have no user, password, query or fragment");
  if (protocol === "http:" && !LOOPBACK.test(hostname) && !allowPlainHttp) {
    throw invalid("baseUrl is http: the project key would be sent in the clear; allowPlainHttp permits it");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** Pairs of names and values, from `Headers`, an object, or a list of pairs. */
function* pairs(given) {
  if (given === undefined) return;
  if (given === null || typeof given !== "object") throw invalid("headers must be Headers, an object or a list of pairs");
  const all = typeof given[Symbol.iterator] === "function" ? checks.list(given, "headers") : Object.entries(given);
  for (const pair of all) {
    const [name, value, ...more] = checks.list(pair, "a header field");
    if (more.length > 0 || typeof name !== "string" || !TOKEN.test(name)) throw invalid("the name of a header field must be an HTTP token");
    // `headers.get` returns null for absent fields. Node has an array for repeated fields.
    if (value === undefined || value === null) continue;
    for (const one of typeof value === "string" ? [value] : checks.list(value, "the value of a header field")) {
      yield [name, checks.text(one, "the value of a header field")];
    }
  }
}

/** Joins fields with the same name, and removes control characters from values. */
function fields(given) {
  const found = new Map();
  for (const [name, text] of pairs(given)) {
    const value = text.replace(/[\0-\x1f\x7f]/g, "");
    const same = found.get(name.toLowerCase());
    if (same === undefined) found.set(name.toLowerCase(), [name, value]);
    else same[1] += `, ${value}`;
  }
  return Object.fromEntries(found.values());
}

/** The JSON of an object; a string is returned as it is. */
export function json(value, what) {
  const written = typeof value === "string" ? value : stringified(value);
  if (written === undefined) throw invalid(`${what} must be an object, or the JSON of one`);
  return checks.someText(written, what);
}

/** Undefined for a value with a cycle or a BigInt, and for a `Map`, a promise and others, which would become `{}`. */
function stringified(value) {
  try {
    const isCollection = typeof value?.[Symbol.iterator] === "function" && !Array.isArray(value);
    const text = isCollection ? undefined : JSON.stringify(value);
    // Only these objects can have no members. `toString` knows classes of another realm, too.
    const isOwn = typeof value?.toJSON === "function" || Object.prototype.toString.call(value) === "[object Object]";
    return text !== "{}" || isOwn ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The length of the longest URL, as in the crate. */
const MAX_URL = 7 * 1024;

/** The size of the longest body in bytes: of a request before it is sealed, and of an answer. */
export const MAX_BODY = 64 * 1024;

const encoder = new TextEncoder();

/** The size of the longest request without the payload. A server may refuse one with long header fields of a caller. */
const MAX_HEAD = 16 * 1024;

/** The largest number of objects and arrays in each other, as in the crate. */
const MAX_DEPTH = 31;

/** A string of well-formed JSON, with the colon after a name, or a bracket. */
const TOKENS = /("[^"\\]*(?:\\.[^"\\]*)*")\s*(:)?|[{}[\]]/g;

/** Refuses what `JSON.parse` accepts and the platform does not: duplicate names, unpaired surrogates, many levels. */
function checkStrings(text, what) {
  // The names so far in each object that is open. An array has none.
  const open = [];
  for (const [token, string, colon] of text.matchAll(TOKENS)) {
    if (token === "{" || token === "[") {
      if (open.push(new Set()) > MAX_DEPTH) throw invalid(`${what} has more than ${MAX_DEPTH} levels`);
    } else if (string === undefined) open.pop();
    else {
      const value = checks.text(JSON.parse(string), what);
      const names = open[open.length - 1];
      if (colon && names.size === names.add(value).size) throw invalid(`${what} has two members with the same name`);
    }
  }
}

/** The JSON of a question's payload. Text stays as it is, because parsing rounds its numbers. */
function payloadOf(given) {
  const text = json(given, "payload");
  if (text.length > MAX_BODY) throw tooLong();
  let isObject = /^\s*\{/.test(text);
  try {
    JSON.parse(text);
  } catch {
    isObject = false;
  }
  if (!isObject) throw invalid("payload must be an object, or the JSON of one");
  checkStrings(text, "payload");
  return text;
}

/**
 * The call that asks whether a client may make a request: its URL, header fields and plaintext. Also returns what is
 * needed to read the answer: the subject, which is compared with the answer, and the secrets, which are removed from
 * the platform's reason. `timeOf` returns the time.
 */
export function question(given, timeOf) {
  if (given === undefined) throw invalid("a question must be a plain object");
  const read = checks.members(given, QUESTION, "a question");
  const { baseUrl = BASE_URL, projectKey, projectEnv, client, method, path, keyName = "default", allowPlainHttp = false } = read;
  if (typeof allowPlainHttp !== "boolean") throw invalid("allowPlainHttp must be true or false");
  if (typeof projectKey !== "string" || !PROJECT_KEY.test(projectKey)) {
    throw invalid("projectKey must be a string of visible ASCII, 256 characters at most: is its variable set?");
  }
  if (projectKey.startsWith("apikee_")) throw invalid("projectKey is an API key, not a project key");
  const project = checks.someText(projectEnv, "projectEnv");
  if (project.startsWith("sk_")) throw invalid("projectEnv is a project key, not a slug");
  const id = checks.text(client, "client").toLowerCase();
  if (!UUID.test(id)) throw invalid("client must be the UUID that the platform gave the client");
  if (typeof method !== "string" || !TOKEN.test(method) || method.length > 32) throw invalid("method must be an HTTP method");
  const name = checks.someText(keyName, "keyName");
  // A query may contain secrets, and would make each request a separate route.
  const route = upToKey(normalized(checks.text(path, "path").split(/[?#]/, 1)[0].replace(/^\//, "")));
  const headers = checks.foreign(() => fields(read.headers), "headers");
  const payload = read.payload === undefined ? "" : `,"payload":${payloadOf(read.payload)}`;
  const timestamp = new Date(timeOf(read.now)).toISOString();
  const subject = { client: id, project, method: upToKey(method).toUpperCase(), path: `/${route}` };
  const methodPath = `${subject.method}:::${subject.path}`;
  const target = `/client/${id}?project_env=${encoded(project)}&method_path=${encoded(methodPath)}`;
  const head = JSON.stringify({ name, timestamp, headers });
  if (encoder.encode(head).length > MAX_HEAD) throw tooLong();
  const plaintext = `${head.slice(0, -1)}${payload}}`;
  const url = `${base(baseUrl, allowPlainHttp)}${target}`;
  // A server may break the connection of a longer one, which would look like an outage.
  if (url.length > MAX_URL) throw tooLong();
  return {
    url,
    headers: {
      "Content-Type": "application/json",
      "x-api-key": projectKey,
      "User-Agent": USER_AGENT,
      "X-Apikee-Encrypted": "1",
    },
    plaintext,
    signedText: `${id}|${methodPath}|${timestamp}`,
    asked: { subject, secrets: [projectKey, ...keysIn(plaintext)] },
  };
}

const fault = (why, cause) => new PlatformError("SERVER_FAULT", why, { cause });
const unavailable = (why, cause) => new PlatformError("SERVER_UNAVAILABLE", why, { cause });

/** The error for a status, like `Outcome::from_status` of the crate. */
function refusal(status, headers) {
  if (status >= 200 && status < 300) return undefined;
  if (status === 401) return fault("the platform refused the project key");
  if (status === 403) return new PlatformError("SERVER_REJECTED", "the platform rejects the request: forbidden");
  if (status === 429) {
    const after = headers?.get?.("retry-after");
    const retryAfter = /^\d+$/.test(after ?? "") ? Math.min(Number(after), 0xffffffff) : undefined;
    return new PlatformError("SERVER_REJECTED", "the platform rejects the request: rate limit exceeded", { retryAfter });
  }
  if (status >= 500 && status < 600) return unavailable(`the platform answered with status ${status}`);
  // In browsers, a redirect that `fetch` does not follow has status 0.
  if (status === 0 || (status >= 300 && status < 400)) return fault("the platform answered with a redirect");
  return fault(`the platform answered with the unexpected status ${status}`);
}

/**
 * The names of the errors of runtimes when a connection breaks, or a time limit ends. Every other reason of a signal,
 * such as a string or `ResponseAborted`, means that the program has ended the call: perhaps its caller has gone.
 */
const CONNECTION_ERRORS = ["Error", "NetworkError", "TimeoutError", "TypeError"];

/**
 * Returns the envelope in a response, of at most `maxLen` bytes, or throws a `PlatformError`. `broken` is the error if
 * the connection broke or the program ended the call after these bytes: a whole answer counts nevertheless.
 */
export async function envelopeOf(response, maxLen) {
  const { status, headers, body, isUsed, isResponse } = checks.foreign(() => {
    const { status, headers, body, bodyUsed, arrayBuffer } = response ?? {};
    return { status, headers, body, isUsed: bodyUsed || body?.locked, isResponse: typeof arrayBuffer === "function" };
  }, "the answer");
  if (typeof status !== "number" || !isResponse) {
    throw invalid("an answer must be the Response that fetch gave");
  }
  const refused = checks.foreign(() => refusal(status, headers), "the answer");
  if (refused !== undefined) {
    // Frees the connection for the next call.
    Promise.resolve().then(() => body?.cancel?.()).catch(() => {});
    throw refused;
  }
  // Otherwise this would look like an answer that was cut off.
  if (isUsed) throw invalid("the body of the answer was read already: readAnswer reads it");
  const parts = [];
  let len = 0;
  let [reader, broken] = [];
  try {
    if (body === null || typeof body?.getReader !== "function") {
      const given = await response.arrayBuffer();
      if (!checks.isBytes(given)) throw invalid("arrayBuffer must give an ArrayBuffer");
      const all = checks.foreign(() => new Uint8Array(given), "the answer");
      if (all.byteLength > maxLen) throw fault("the platform's answer is too long");
      return { envelope: all };
    }
    reader = checks.foreign(() => body.getReader(), "the answer");
    if (typeof reader?.read !== "function") throw invalid("the answer's stream has no reader");
    for (;;) {
      const part = await reader.read();
      if (part === null || typeof part !== "object") throw invalid("the answer's stream must give parts");
      if (part.done) break;
      if (typeof part.value === "string") throw invalid("the answer's stream must have bytes, not strings");
      const bytes = checks.bytes(part.value, "a part of the answer");
      // A copy: the stream may use its buffer again.
      parts.push(bytes.slice());
      len += bytes.byteLength;
      if (len > maxLen) throw fault("the platform's answer is too long");
    }
  } catch (cause) {
    Promise.resolve().then(() => reader?.cancel()).catch(() => {});
    if (cause instanceof ApikeeError) throw cause;
    broken = CONNECTION_ERRORS.includes(cause?.name)
      ? unavailable("the platform's answer was cut off", cause)
      : fault("the call was aborted", cause);
  }
  const all = new Uint8Array(len);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return { envelope: all, broken };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A string member of the answer, or undefined. */
const said = (answer, name) => (Object.hasOwn(answer, name) && typeof answer[name] === "string" ? answer[name] : undefined);

/**
 * Returns the platform's answer if it lets the request through. The module has already read the answer: the first byte
 * is the verdict. The answer must be about this request, whatever the verdict is. The reason for a refusal does not
 * contain the secrets.
 */
export function readVerdict(bytes, { subject, secrets }) {
  let answer;
  try {
    answer = JSON.parse(decoder.decode(bytes.subarray(1)));
  } catch (cause) {
    // This does not happen: JavaScript can read every answer that the module accepts.
    throw new ApikeeError("MALFORMED_ANSWER", "the answer is not a well-formed JSON object", cause);
  }
  const [client, project, methodPath] = ["clientId", "project_env", "method_path"].map((name) => said(answer, name));
  const spellings = [":::", ":"].map((separator) => `${subject.method}${separator}${subject.path}`);
  const isAbout =
    (client === undefined || client.toLowerCase() === subject.client) &&
    (project === undefined || project === subject.project) &&
    (methodPath === undefined || spellings.includes(methodPath));
  if (!isAbout) throw new ApikeeError("ANOTHER_REQUEST", "the answer is about another request");
  if (bytes[0] === 1) return answer;
  const reason = reasonOf([said(answer, "error") || said(answer, "code") || undefined, said(answer, "message") || undefined], secrets);
  throw new PlatformError("SERVER_REJECTED", "the platform rejects the request", { reason });
}
