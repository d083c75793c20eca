/// <reference lib="esnext.disposable" />

// No type of a platform (DOM, Workers, Node, Deno) is named here, so that these check with whatever a project has.

/** A time: seconds since 1970, or a `Date`. */
export type Time = number | Date;

/** An object with these members and no others: an unknown name is refused, since it may be one that was misspelt. */
export interface Options {
  /** What time it is; by default `Date.now`. A time at or before 1970 is refused. */
  clock?: () => Time | undefined;
  /** Fills the array with random bytes, at once; by default `crypto.getRandomValues`. */
  random?: (bytes: Uint8Array<ArrayBuffer>) => unknown;
}

/**
 * A `WebAssembly.Module`, its bytes (an `ArrayBuffer` or a view), or what has them: a `Response`, a `Blob`. They have no
 * type that all platforms know.
 */
export type Source = object;

/**
 * Instantiates the module.
 *
 * @throws {ApikeeError} `LOAD_FAILED`, or `WASM_BLOCKED` where a content security policy forbids it
 */
export function instantiate(source: Source | Promise<Source>, options?: Options): Promise<Apikee>;

/** As `instantiate`, at once: for a `WebAssembly.Module`, or its bytes. */
export function instantiateSync(source: Source, options?: Options): Apikee;

/** One module, with its own memory. */
export interface Apikee {
  /**
   * A ring of secrets, newest first, eight at most: the first signs, and any is accepted. Keep one for all requests:
   * 32 can exist at once.
   *
   * @param options.leeway whole seconds that keys are good for longer, and earlier; none by default
   */
  keyring(secrets: string | Uint8Array | Iterable<string | Uint8Array>, options?: { leeway?: number }): Keyring;

  /** The platform's public key: 32 bytes, 64 hexadecimal digits, or base64 of either alphabet, padded or not. */
  serverKey(key: string | Uint8Array): ServerKey;

  /**
   * The SHA-256 of a whole key, as 64 hexadecimal digits: for storage and deny-lists. **It says nothing about the key**,
   * which may be forged.
   */
  fingerprint(key: string | Uint8Array): string;
}

/** What has a place in the module's memory until it is freed, or until it was forgotten and collected. */
export interface Resident {
  /** Wipes it. It may be called again, and does nothing then. */
  free(): void;
  [Symbol.dispose](): void;
}

/** The secrets that keys are signed with; 32 rings at once. */
export interface Keyring extends Resident {
  /**
   * Verifies a key, and returns its claims. `undefined` and `null` are no key at all.
   *
   * @param options.now the time to check against; by default the clock's
   * @param options.scopes what the key must have; an empty list for nothing
   * @throws {ApikeeError} with the code that all Apikee SDKs use
   * @throws {MissingScopesError} if it lacks one of `scopes`
   */
  verify(key: string | Uint8Array | null | undefined, options?: VerifyOptions): Claims;

  /** Issues a key, signed with the first secret. */
  issue(key: NewKey, options?: { now?: Time }): string;
}

export interface VerifyOptions {
  /** The time to check against; by default the clock's. */
  now?: Time;
  /** What the key must have. An empty list is nothing; `undefined` is refused, since it may be a mistake. */
  scopes?: Iterable<string>;
}

/** What the issuer of a key says. */
export interface Claims {
  /** Ids sort by the time of issue. Empty if there is none. */
  id: string;
  tenant: string;
  scopes: string[];
  environment: string;
  /** The last second in which the key is good, since 1970; `null` if it never expires. */
  expiresAt: number | null;
  /** The first second in which the key is good; `null` if it always was. */
  notBefore: number | null;
  /** As `JSON.parse` reads it. Binary data of MessagePack is a `Uint8Array`, an extension `{type, data}`. */
  meta: Record<string, unknown>;
  /** The index of the secret that has signed the key. */
  secretIndex: number;
}

export interface NewKey {
  tenant: string;
  scopes?: Iterable<string>;
  /** `"production"` by default. */
  environment?: string;
  /** `"90d"`, which is the default, `"24h"`, `"60m"`, `"3600s"` or `"never"`. */
  expiresIn?: string;
  /** Instead of `expiresIn`. */
  expiresAt?: Time;
  notBefore?: Time;
  /** An object, or the JSON of one. */
  meta?: object | string;
  /** Instead of one that is drawn. One in 256 is refused, with the code `UNUSABLE_ID`. */
  id?: string;
}

/** The platform's public key; 16 at once. */
export interface ServerKey extends Resident {
  /**
   * Establishes a session for one request, perhaps ahead of time. 1,024 are held at once: one more, and the oldest is
   * given up.
   */
  establish(): Session;
}

/** Seals one request, and then opens its answer. `open` and `readAnswer` use it up, and give its place back. */
export interface Session extends Resident {
  /** Seals the question whether a client may make a request, for the platform. */
  validateRequest(question: Question): SealedRequest;

  /**
   * Reads the platform's answer to that question, and returns it if the platform lets the request through. The session
   * is used up, whatever comes of it.
   *
   * @throws {PlatformError} `SERVER_REJECTED`, `SERVER_UNAVAILABLE` or `SERVER_FAULT`
   * @throws {ApikeeError} if what came is not an authentic answer to this request
   */
  readAnswer(response: FetchResponse): Promise<Answer>;

  /** Seals a request of 64 KiB at most; returns the envelope. */
  seal(plaintext: string | Uint8Array): string;

  /** Opens the answer; returns its plaintext. The session is used up, whatever comes of it. */
  open(answer: string | Uint8Array): Uint8Array<ArrayBuffer>;
}

/** What the platform is asked, and where it is. */
export interface Question {
  /** `https://apikee.dev/api/v1` by default. */
  baseUrl?: string;
  /** The project key, `sk_live_...` or `sk_test_...`: a secret. */
  projectKey: string;
  /** The project-env slug. */
  projectEnv: string;
  /** The UUID that the platform gave the client. */
  client: string;
  /** The method of the request that is asked about: `"GET"`. */
  method: string;
  /** Its path, or better its route's template: `"/users/{id}"`. A query is left out. */
  path: string;
  /** The name of the key among the client's; `"default"` by default. */
  keyName?: string;
  /**
   * The header fields that the platform is to see: those that you chose, never all. The raw key may be among them
   * (`x-api-key`), since they travel in the envelope. Values that are `undefined` or `null` are left out.
   */
  headers?: Iterable<readonly [string, string]> | Record<string, string | readonly string[] | null | undefined>;
  /** What else the platform is to see: an object, or the JSON of one. */
  payload?: object | string;
  /** By default the clock's. */
  now?: Time;
  /** Permits a `baseUrl` with `http:` that is not on this machine: the project key is then sent in the clear. */
  allowPlainHttp?: boolean;
}

/** What `fetch(request.url, request)` takes. */
export interface SealedRequest {
  url: string;
  method: "POST";
  /** One of them is the project key. */
  headers: Record<string, string>;
  body: string;
  redirect: "manual";
  /** What `x-apikee-signature` is over, for projects whose requests are signed. `fetch` ignores it. */
  signedText: string;
}

/** What is looked at of a `Response`. */
export interface FetchResponse {
  readonly status: number;
  readonly body: unknown;
  readonly headers: { get(name: string): string | null };
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** The platform's answer to a request that it lets through. */
export interface Answer {
  success: true;
  [member: string]: unknown;
}

/** Why something was refused: `code` is the SDKs' for a key, the binding's own for the rest. */
export class ApikeeError extends Error {
  protected constructor();
  readonly code: string;
  /** The HTTP status to refuse a request with: 401 or 403, or 5xx where it is not the request that is wrong. */
  get httpStatus(): number;
  /** What a clock, a generator, a stream or the runtime has thrown. */
  readonly cause?: unknown;
}

/** A key lacks scopes that were asked for. */
export class MissingScopesError extends ApikeeError {
  protected constructor();
  readonly missing: string[];
}

/** The platform has rejected a request, or has not given an answer. */
export class PlatformError extends ApikeeError {
  protected constructor();
  readonly code: "SERVER_REJECTED" | "SERVER_UNAVAILABLE" | "SERVER_FAULT";
  /** The platform's own reason, for operators: one line, of 256 characters at most. */
  readonly reason: string | undefined;
  /** Seconds that the platform asks to wait. */
  readonly retryAfter: number | undefined;
}
