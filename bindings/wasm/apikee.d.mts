/// <reference lib="esnext.disposable" />

// These types do not name a type of a platform (DOM, Workers, Node, Deno), so that they work in every project.

/** A time: seconds since 1970, or a `Date`. */
export type Time = number | Date;

/** Options of `load` and `instantiate`. Unknown names are refused, because they may be misspelt. */
export interface Options {
  /** Returns the time. Without it, and if it returns `undefined`, `Date.now` counts. A time at or before 1970 is refused. */
  clock?: () => Time | undefined;
  /** Fills the array with random bytes before it returns; by default `crypto.getRandomValues`. */
  random?: (bytes: Uint8Array<ArrayBuffer>) => unknown;
}

/**
 * A `WebAssembly.Module`, its bytes (an `ArrayBuffer` or a view), or a `Response` or `Blob` with the bytes. No type for
 * these exists on all platforms.
 */
export type Source = object;

/**
 * Instantiates the module.
 *
 * @throws {ApikeeError} `LOAD_FAILED`, `INVALID_ARGUMENT`, or `WASM_BLOCKED` if a content security policy forbids it
 */
export function instantiate(source: Source | Promise<Source>, options?: Options): Promise<Apikee>;

/** Like `instantiate`, but synchronous: from a `WebAssembly.Module` or its bytes. */
export function instantiateSync(source: Source, options?: Options): Apikee;

/** One module, with its own memory. */
export interface Apikee {
  /**
   * Makes a keyring of at most eight secrets: the first signs, and all are accepted. Use one keyring for all requests:
   * only 32 can exist at once.
   *
   * @param options.leeway whole seconds by which keys are good longer and earlier, at most 86,400; 0 by default
   * @throws {ApikeeError} `EMPTY_SECRET`, `TOO_MANY_SECRETS`, `TOO_LONG`, `TOO_MANY_OBJECTS` or `INVALID_ARGUMENT`
   */
  keyring(secrets: string | Uint8Array | Iterable<string | Uint8Array>, options?: { leeway?: number }): Keyring;

  /**
   * The platform's public key: 32 bytes, 64 hexadecimal digits, or base64 of either alphabet, padded or not.
   *
   * @throws {ApikeeError} `INVALID_SERVER_KEY`, `LOW_ORDER_SERVER_KEY`, `TOO_MANY_OBJECTS`, `INVALID_ARGUMENT`, or
   * `NOT_IN_THIS_BUILD` in `apikee-verify.wasm`
   */
  serverKey(key: string | Uint8Array): ServerKey;

  /**
   * The SHA-256 of a whole key as 64 hexadecimal digits, for storage and deny-lists. **This does not verify the key**:
   * it may be forged. With blanks or a line break around the key, the fingerprint is another one, and revokes nothing.
   *
   * @throws {ApikeeError} `MISSING_KEY`, `INVALID_ARGUMENT`, or `TOO_LONG` for more than 87,496 bytes (16,384 in
   * `apikee-verify.wasm`)
   */
  fingerprint(key: string | Uint8Array): string;
}

/** An object that has a place in the module's memory until it is freed or garbage-collected. */
export interface Resident {
  /** Wipes the object. Further calls do nothing. */
  free(): void;
  [Symbol.dispose](): void;
}

/** The secrets that sign and verify keys. At most 32 keyrings can exist at once. */
export interface Keyring extends Resident {
  /**
   * Verifies a key, and returns its claims. `undefined` and `null` mean that there is no key.
   *
   * @param options.now the time of the check; by default the clock's time
   * @param options.scopes the scopes that the key must have; an empty list requires none
   * @throws {ApikeeError} with the code that all Apikee SDKs use
   * @throws {MissingScopesError} if the key lacks one of `scopes`
   * @throws {ApikeeError} `INVALID_ARGUMENT` for `{ now: 0 }` and other times at or before 1970, and for unknown
   * options; `CLOCK_FAILED` if the clock gives such a time
   */
  verify(key: string | Uint8Array | null | undefined, options?: VerifyOptions): Claims;

  /**
   * Issues a key, signed with the first secret.
   *
   * @throws {ApikeeError} `TOO_LONG` for more than 512 scopes, or claims of more than 8 KiB; `INVALID_DURATION`,
   * `INVALID_META`, `TIME_OUT_OF_RANGE` and `UNUSABLE_ID` for members of the key; `INVALID_ARGUMENT` for wrong types,
   * unknown names, empty optional strings, times after the year 9999, and a `now` at or before 1970; `CLOCK_FAILED` and `RNG_FAILED` without a clock or
   * random numbers; `NOT_IN_THIS_BUILD` in the smaller module
   */
  issue(key: NewKey, options?: { now?: Time }): string;
}

export interface VerifyOptions {
  /** The time of the check, after 1970; by default the clock's time. */
  now?: Time;
  /** The scopes that the key must have. An empty list requires none. `undefined` is refused: it may be a mistake. */
  scopes?: Iterable<string> & object;
}

/** The claims of a key. */
export interface Claims {
  /** The key's id. Ids sort by the time of issue. Empty if the key has none. */
  id: string;
  tenant: string;
  scopes: string[];
  environment: string;
  /** The last second in which the key is good, since 1970; `null` if it never expires. */
  expiresAt: number | null;
  /** The first second in which the key is good, since 1970; `null` if there is no such time. */
  notBefore: number | null;
  /** Values as `JSON.parse` reads them. MessagePack's binary data is a `Uint8Array`, an extension `{type, data}`. */
  meta: Record<string, unknown>;
  /** The index of the secret that signed the key. */
  secretIndex: number;
}

export interface NewKey {
  tenant: string;
  scopes?: Iterable<string> & object;
  /** `"production"` by default. */
  environment?: string;
  /** For example `"90d"` (the default), `"24h"`, `"60m"`, `"3600s"` or `"never"`. */
  expiresIn?: string;
  /** Instead of `expiresIn`. */
  expiresAt?: Time;
  notBefore?: Time;
  /** An object, or the JSON of an object. */
  meta?: object | string;
  /** An id to use instead of a random one. 1 of 256 ids is refused with the code `UNUSABLE_ID`. */
  id?: string;
}

/** The platform's public key. At most 16 can exist at once. */
export interface ServerKey extends Resident {
  /**
   * Establishes a session for one request. You can do this ahead of time. At most 1,024 sessions can exist at once: a
   * further one replaces the oldest.
   *
   * @throws {ApikeeError} `RNG_FAILED` or `FREED`
   */
  establish(): Session;
}

/** Seals one request, and then opens its answer. `open` and `readAnswer` use up the session, and free its place. */
export interface Session extends Resident {
  /**
   * Seals the call that asks the platform whether a client may make a request.
   *
   * @throws {ApikeeError} `TOO_LONG` for a URL of more than 7 KiB, a body of more than 64 KiB or, without the
   * payload, of more than 16 KiB; `INVALID_ARGUMENT`, `CLOCK_FAILED`, `RNG_FAILED`, `SESSION_USED` or `FREED`
   */
  validateRequest(question: Question): SealedRequest;

  /**
   * Reads the platform's answer to that call, and returns it if the platform lets the request through. The session is
   * used up afterwards, also after an error.
   *
   * @throws {PlatformError} `SERVER_REJECTED`, `SERVER_UNAVAILABLE` or `SERVER_FAULT`
   * @throws {ApikeeError} if the response is not an authentic answer to this request
   */
  readAnswer(response: FetchResponse): Promise<Answer>;

  /** Seals a request of at most 64 KiB; returns the envelope. */
  seal(plaintext: string | Uint8Array): string;

  /**
   * Opens the answer; returns its plaintext. If something was sealed, the session is used up afterwards, also after an
   * error.
   */
  open(answer: string | Uint8Array): Uint8Array<ArrayBuffer>;
}

/** A question for the platform, and the platform's address. */
export interface Question {
  /** `https://apikee.dev/api/v1` by default. */
  baseUrl?: string;
  /** The project key, `sk_live_...` or `sk_test_...`. It is a secret. */
  projectKey: string;
  /** The project-env slug. */
  projectEnv: string;
  /** The UUID that the platform gave the client. */
  client: string;
  /** The method of the client's request, such as `"GET"`; at most 32 characters. */
  method: string;
  /**
   * The path of the client's request, or better the template of its route: `"/users/{id}"`. The part from the first
   * `?` or `#` on is left out, also in a template. Escapes of letters, digits, `-`, `.`, `_` and `~` are decoded. A path
   * with a key in it ends after the first 12 characters of the key.
   */
  path: string;
  /** The name of the key among the client's keys; `"default"` by default. */
  keyName?: string;
  /**
   * The header fields for the platform. Choose them; do not send all. The raw key (`x-api-key`) may be among them,
   * because they are sent in the envelope. Values that are `undefined` or `null` are left out.
   */
  headers?: Iterable<readonly [string, string]> | Record<string, string | readonly string[] | null | undefined>;
  /**
   * Further data for the platform: an object, or the JSON of an object, which is sent as it is. Two members with the
   * same name, unpaired surrogates and more than 31 levels are refused.
   */
  payload?: object | string;
  /** The time of the call; by default the clock's time. */
  now?: Time;
  /** Permits a `baseUrl` with `http:` on another machine. The project key is then sent in the clear. */
  allowPlainHttp?: boolean;
}

/** The arguments for `fetch(request.url, request)`. */
export interface SealedRequest {
  url: string;
  method: "POST";
  /** The header fields. One of them is the project key. */
  headers: Record<string, string>;
  body: string;
  redirect: "manual";
  /** The text that `x-apikee-signature` signs, for projects with signed requests. `fetch` ignores it. */
  signedText: string;
}

/** The members of a `Response` that are used. */
export interface FetchResponse {
  readonly status: number;
  /** If this is not a web stream, the whole answer is read before its length is checked. */
  readonly body: unknown;
  readonly bodyUsed?: boolean;
  readonly headers: { get(name: string): string | null };
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** The platform's answer to a request that it lets through. */
export interface Answer {
  success: true;
  [member: string]: unknown;
}

/** An error. `code` is the SDKs' code for a key, and a code of this package for all other errors. */
export class ApikeeError extends Error {
  protected constructor();
  readonly code: string;
  /** The HTTP status for the refusal: 401 or 403 if the key or the platform refuses the request, otherwise 5xx. */
  get httpStatus(): number;
  /** The error that a clock, a generator, a stream or the runtime threw. */
  readonly cause?: unknown;
}

/** A key lacks required scopes. */
export class MissingScopesError extends ApikeeError {
  protected constructor();
  /** The missing scopes in the order of the requirement, each once. */
  readonly missing: string[];
}

/** The platform rejected a request, or did not answer correctly. */
export class PlatformError extends ApikeeError {
  protected constructor();
  readonly code: "SERVER_REJECTED" | "SERVER_UNAVAILABLE" | "SERVER_FAULT";
  /**
   * The platform's own reason, for operators: one escaped line of at most 100 bytes. Keys in it are cut to 12
   * characters. A text with a part of the project key or of the request's raw key is left out.
   */
  readonly reason: string | undefined;
  /** The number of seconds to wait, if the platform sent it. */
  readonly retryAfter: number | undefined;
}
