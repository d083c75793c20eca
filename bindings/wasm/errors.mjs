// What the binding throws, and nothing else.

const STATUS = {
  MISSING_KEY: 401,
  INVALID_PREFIX: 401,
  INVALID_FORMAT: 401,
  DECODE_ERROR: 401,
  INVALID_SIGNATURE: 401,
  EXPIRED: 401,
  NOT_YET_VALID: 401,
  INSUFFICIENT_SCOPE: 403,
};

/** Why something was refused: `code` is the SDKs' for a key, the binding's own for the rest. */
export class ApikeeError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  /** The HTTP status to refuse a request with, 401 or 403; 500 where it is not the request that is wrong. */
  get httpStatus() {
    return STATUS[this.code] ?? 500;
  }
}
ApikeeError.prototype.name = "ApikeeError";

/** A key lacks scopes that were asked for: `missing` names them. */
export class MissingScopesError extends ApikeeError {
  constructor(missing) {
    super("INSUFFICIENT_SCOPE", "the key lacks scopes");
    this.missing = missing;
  }
}

export const invalid = (why) => new ApikeeError("INVALID_ARGUMENT", why);
export const tooLong = () => new ApikeeError("TOO_LONG", "an argument is too long");
