/// <reference lib="esnext.disposable" />

/** A time: seconds since 1970, or a `Date`. */
export type Time = number | Date;

export interface Options {
  /** What time it is; by default `Date.now`. */
  clock?: () => Time | undefined;
  /** Fills the array with random bytes, at once; by default `crypto.getRandomValues`. */
  random?: (bytes: Uint8Array) => unknown;
}

/** The compiled module, its bytes, or a response with them. */
export type Source = WebAssembly.Module | ArrayBuffer | Uint8Array<ArrayBuffer> | Response;

/** Instantiates the module. */
export function instantiate(source: Source | Promise<Source>, options?: Options): Promise<Apikee>;

/** As `instantiate`, at once. */
export function instantiateSync(
  source: WebAssembly.Module | ArrayBuffer | Uint8Array<ArrayBuffer>,
  options?: Options,
): Apikee;

/** One module, with its own memory. */
export interface Apikee {
  /**
   * A ring of secrets, newest first, eight at most: the first signs, and any is accepted.
   *
   * @param options.leeway whole seconds that keys are good for longer, and earlier; none by default
   */
  keyring(secrets: string | Uint8Array | Iterable<string | Uint8Array>, options?: { leeway?: number }): Keyring;

  /** The platform's public key: 32 bytes, 64 hexadecimal digits, or base64 of either alphabet, padded or not. */
  serverKey(key: string | Uint8Array): ServerKey;
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
   * @throws {ApikeeError} with the code that all Apikee SDKs use
   * @throws {MissingScopesError} if it lacks one of `scopes`
   */
  verify(key: string | Uint8Array | null | undefined, options?: { now?: Time; scopes?: Iterable<string> }): Claims;

  /** Issues a key, signed with the first secret. */
  issue(key: NewKey, options?: { now?: Time }): string;
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
  /** Establishes a session for one request, perhaps ahead of time; 1,024 at once. */
  establish(): Session;
}

/** Seals one request, and then opens its answer. */
export interface Session extends Resident {
  /** Seals a request of 64 KiB at most; returns the envelope. */
  seal(plaintext: string | Uint8Array): string;

  /** Opens the answer; returns its plaintext. The session is used up, whatever comes of it. */
  open(answer: string | Uint8Array): Uint8Array<ArrayBuffer>;
}

/** Why something was refused: `code` is the SDKs' for a key, the binding's own for the rest. */
export class ApikeeError extends Error {
  readonly code: string;
  /** The HTTP status to refuse a request with: 401 or 403; 500 where it is not the request that is wrong. */
  get httpStatus(): number;
}

/** A key lacks scopes that were asked for. */
export class MissingScopesError extends ApikeeError {
  readonly missing: string[];
}
