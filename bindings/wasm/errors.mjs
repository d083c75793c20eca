// All errors that the binding throws.

const STATUS = {
  MISSING_KEY: 401,
  INVALID_PREFIX: 401,
  INVALID_FORMAT: 401,
  DECODE_ERROR: 401,
  INVALID_SIGNATURE: 401,
  EXPIRED: 401,
  NOT_YET_VALID: 401,
  INSUFFICIENT_SCOPE: 403,
  SERVER_REJECTED: 401,
  SERVER_UNAVAILABLE: 503,
  // No trustworthy answer was received from the platform.
  SERVER_FAULT: 502,
  MALFORMED_ENVELOPE: 502,
  UNSEALED: 502,
  UNKNOWN_VERSION: 502,
  WRONG_ENCODING: 502,
  WRONG_KEY: 502,
  REFLECTED: 502,
  FORGED: 502,
  MALFORMED_ANSWER: 502,
  NO_VERDICT: 502,
  ANOTHER_REQUEST: 502,
};

/** An error. `code` is the SDKs' code for a key, and a code of this package for all other errors. */
export class ApikeeError extends Error {
  constructor(code, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** The HTTP status for the refusal: 401 or 403 if the key or the platform refuses the request, otherwise 5xx. */
  get httpStatus() {
    return Object.hasOwn(STATUS, this.code) ? STATUS[this.code] : 500;
  }
}
Object.defineProperty(ApikeeError.prototype, "name", { value: "ApikeeError", writable: true, configurable: true });

/** A key lacks required scopes: `missing` contains them. */
export class MissingScopesError extends ApikeeError {
  constructor(missing) {
    super("INSUFFICIENT_SCOPE", `the key lacks these scopes: ${missing.join(", ")}`);
    this.missing = missing;
  }
}

/** The platform rejected a request, or did not answer correctly. */
export class PlatformError extends ApikeeError {
  constructor(code, message, { reason, retryAfter, cause } = {}) {
    super(code, message, cause);
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

export const invalid = (why, cause) => new ApikeeError("INVALID_ARGUMENT", why, cause);
export const tooLong = () => failure(-4);

// The errors of the module's calls, in the order of `src/failure.rs`.
const FAILURES = [
  ["INVALID_ARGUMENT", "an argument has the wrong type, length or form"],
  ["FREED", "the object has been freed"],
  ["TOO_MANY_OBJECTS", "too many objects are in use: keep one for all requests, or free them"],
  ["TOO_LONG", "an argument is too long"],
  ["EMPTY_SECRET", "a secret is empty"],
  ["TOO_MANY_SECRETS", "a keyring holds 8 secrets at most"],
  ["INVALID_PREFIX", "the key does not start with 'apikee_'"],
  ["INVALID_FORMAT", "the key has no signature"],
  ["DECODE_ERROR", "the key cannot be decoded"],
  ["INVALID_SIGNATURE", "the key's signature is invalid"],
  ["EXPIRED", "the key has expired"],
  ["NOT_YET_VALID", "the key is not yet valid"],
  ["INVALID_DURATION", "a duration must be like 90d, 24h, 60m, 3600s or never"],
  ["INVALID_META", "meta is not a well-formed JSON object"],
  ["TIME_OUT_OF_RANGE", "the expiry or the not-before time is not in the years 1 to 9999"],
  ["UNUSABLE_ID", "the id leads to a signature that the published SDKs refuse"],
  ["RNG_FAILED", "the random number generator failed, or repeats itself"],
  ["LOW_ORDER_SERVER_KEY", "the server's public key has low order, for example a placeholder of zeros"],
  ["SESSION_USED", "a session seals one request, and then opens one answer"],
  ["MALFORMED_ENVELOPE", "the envelope is not a well-formed JSON object"],
  ["UNSEALED", "the body is not sealed"],
  ["UNKNOWN_VERSION", "the envelope's version is not known"],
  ["WRONG_ENCODING", "a member of the envelope is missing or wrongly encoded"],
  ["WRONG_KEY", "the envelope names a key that cannot be trusted"],
  ["REFLECTED", "the answer is our own request sent back"],
  ["FORGED", "the envelope is not authentic"],
  ["MALFORMED_ANSWER", "the answer is not a well-formed JSON object"],
  ["NO_VERDICT", "the answer has no boolean 'success'"],
];

/** The error for a negative result of the module. */
export const failure = (answer) => new ApikeeError(...FAILURES[-1 - answer]);
