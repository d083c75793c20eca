/*
 * apikee: issue and verify Apikee API keys; seal and open the platform's envelopes.
 *
 * No function allocates, blocks, reads a clock or keeps anything. Objects and buffers are the caller's.
 * What is declared only with APIKEE_ENVELOPE is in a library that was built with the feature `envelope`.
 *
 * Rules, for all functions:
 *
 * - A pointer with a length points to so many bytes. It may be null if the length is 0. Any other pointer
 *   must not be null, except where it is said, and is aligned for its type. The library checks for null,
 *   alignment, lengths that wrap around, and overlaps, and returns an error; it cannot check the rest.
 * - What a function writes overlaps nothing else that it is given. Nothing is written past a buffer.
 * - An object is all zeros, or was made by its function. A keyring, a session or a pending is not copied: a
 *   copy of a secret is one more to wipe, and a session that seals twice could be found out.
 * - After an error, what is returned through pointers is zeros, except where it is said.
 * - What is returned as an apikee_text points into a buffer that was given before: keep that, unchanged.
 * - One thread at a time uses an object that a function takes without const. Any number may use one that
 *   functions take as const.
 */


#ifndef APIKEE_H
#define APIKEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text from a literal, without its NUL: apikee_text tenant = APIKEE_TEXT("acme-corp"); */
#define APIKEE_TEXT(literal) { (literal), sizeof(literal) - 1 }

/* Bytes of buffer that are enough to verify a key of that length; a little more than
 * apikee_verify_buffer_len. */
#define APIKEE_VERIFY_BUFFER_LEN(key_len) ((size_t)(key_len) / 4 * 3 + 16)

/* Bytes of buffer that are enough to issue a key with a payload of that length: apikee_issue_buffer_len. */
#define APIKEE_ISSUE_BUFFER_LEN(payload_len) \
  ((size_t)(payload_len) + ((size_t)(payload_len) * 16 + 118) / 119 * 10 + 58)

/* Bytes of the envelope around a plaintext of that length: apikee_sealed_len. */
#define APIKEE_SEALED_LEN(plaintext_len) (93 + (((size_t)(plaintext_len) + 16) * 4 + 2) / 3)


/**
 * Secrets that a keyring holds at most.
 */
#define APIKEE_MAX_SECRETS 8

/**
 * Bytes of an `apikee_keyring`, on every target.
 */
#define APIKEE_KEYRING_SIZE 672

/**
 * Bytes of an `apikee_claims`, on every target.
 */
#define APIKEE_CLAIMS_SIZE 112

/**
 * Bytes of a fingerprint.
 */
#define APIKEE_FINGERPRINT_LEN 32

/**
 * Scopes that `apikee_issue` takes at most.
 */
#define APIKEE_MAX_SCOPES 32

#if defined(APIKEE_ENVELOPE)
/**
 * Bytes of an `apikee_server_key`, on every target.
 */
#define APIKEE_SERVER_KEY_SIZE 160
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Bytes of an `apikee_session`, on every target.
 */
#define APIKEE_SESSION_SIZE 112
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Bytes of an `apikee_pending`, on every target.
 */
#define APIKEE_PENDING_SIZE 96
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Headers that a request takes at most.
 */
#define APIKEE_MAX_HEADERS 16
#endif

/**
 * What a function came to. The numbers stay what they are.
 */
enum apikee_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * It is done.
   */
  APIKEE_ERROR_OK = 0,
  /**
   * The key is refused: there is none.
   */
  APIKEE_ERROR_MISSING_KEY = 1,
  /**
   * The key is refused: it does not start with `apikee_`.
   */
  APIKEE_ERROR_INVALID_PREFIX = 2,
  /**
   * The key is refused: there is no `.` behind the payload.
   */
  APIKEE_ERROR_INVALID_FORMAT = 3,
  /**
   * The key is refused: it is no key, or its claims are not well-formed.
   */
  APIKEE_ERROR_DECODE = 4,
  /**
   * The key is refused: the buffer is too small to find out whether it is good.
   */
  APIKEE_ERROR_KEY_TOO_LONG = 5,
  /**
   * The key is refused: no secret of the keyring has signed it.
   */
  APIKEE_ERROR_INVALID_SIGNATURE = 6,
  /**
   * The key is refused: it was good until a time that is past.
   */
  APIKEE_ERROR_EXPIRED = 7,
  /**
   * The key is refused: it is good from a time that is yet to come.
   */
  APIKEE_ERROR_NOT_YET_VALID = 8,
  /**
   * The key lacks a scope.
   */
  APIKEE_ERROR_INSUFFICIENT_SCOPE = 9,
  /**
   * A pointer is null that must not be.
   */
  APIKEE_ERROR_NULL_POINTER = 32,
  /**
   * A pointer is not aligned for what it points to.
   */
  APIKEE_ERROR_MISALIGNED = 33,
  /**
   * A length is more than memory has.
   */
  APIKEE_ERROR_INVALID_LENGTH = 34,
  /**
   * What is written overlaps something else.
   */
  APIKEE_ERROR_OVERLAP = 35,
  /**
   * An object was not initialised, was wiped, or is used up.
   */
  APIKEE_ERROR_NOT_INITIALISED = 36,
  /**
   * A text is not UTF-8.
   */
  APIKEE_ERROR_INVALID_UTF8 = 37,
  /**
   * There are more scopes or headers than `APIKEE_MAX_SCOPES` or `APIKEE_MAX_HEADERS`.
   */
  APIKEE_ERROR_TOO_MANY = 38,
  /**
   * The buffer is too small. Where there is a length to return, it is one that is enough.
   */
  APIKEE_ERROR_BUFFER_TOO_SMALL = 39,
  /**
   * There is no such claim, scope or member, or it is of another type.
   */
  APIKEE_ERROR_ABSENT = 40,
  /**
   * The generator failed, repeats itself, or gives zeros.
   */
  APIKEE_ERROR_RANDOM_FAILED = 41,
  /**
   * A secret is empty.
   */
  APIKEE_ERROR_EMPTY_SECRET = 64,
  /**
   * The keyring holds `APIKEE_MAX_SECRETS` secrets already.
   */
  APIKEE_ERROR_KEYRING_FULL = 65,
  /**
   * The claims are too long for a key.
   */
  APIKEE_ERROR_CLAIMS_TOO_LONG = 66,
  /**
   * A time is out of range, or an expiry is of no known kind or negative.
   */
  APIKEE_ERROR_TIME_OUT_OF_RANGE = 67,
  /**
   * A text is no well-formed JSON object.
   */
  APIKEE_ERROR_INVALID_JSON = 68,
  /**
   * The server's public key is neither 64 hexadecimal digits nor base64 of 32 bytes.
   */
  APIKEE_ERROR_SERVER_KEY_MALFORMED = 96,
  /**
   * The server's public key is of low order, as a placeholder is.
   */
  APIKEE_ERROR_SERVER_KEY_LOW_ORDER = 97,
  /**
   * The envelope is no well-formed JSON object.
   */
  APIKEE_ERROR_ENVELOPE_MALFORMED = 98,
  /**
   * The body is not sealed.
   */
  APIKEE_ERROR_ENVELOPE_UNSEALED = 99,
  /**
   * The envelope's version is not known.
   */
  APIKEE_ERROR_ENVELOPE_VERSION = 100,
  /**
   * A member of the envelope is missing or wrongly encoded.
   */
  APIKEE_ERROR_ENVELOPE_ENCODING = 101,
  /**
   * The envelope names a key that cannot be trusted.
   */
  APIKEE_ERROR_ENVELOPE_WRONG_KEY = 102,
  /**
   * The answer is our own request sent back, with its public key replaced by the server's.
   */
  APIKEE_ERROR_ENVELOPE_REFLECTED = 103,
  /**
   * The envelope is not authentic.
   */
  APIKEE_ERROR_ENVELOPE_FORGED = 104,
  /**
   * The answer is no well-formed JSON object.
   */
  APIKEE_ERROR_ANSWER_MALFORMED = 105,
  /**
   * The answer has no boolean `success`.
   */
  APIKEE_ERROR_ANSWER_NO_VERDICT = 106,
  /**
   * The client's id is no UUID of 36 characters.
   */
  APIKEE_ERROR_INVALID_CLIENT_ID = 108,
  /**
   * The method is no HTTP token.
   */
  APIKEE_ERROR_INVALID_METHOD = 109,
  /**
   * An error that this interface has no code for.
   */
  APIKEE_ERROR_OTHER = 127,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apikee_error apikee_error;
#else
typedef int32_t apikee_error;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * When a new key expires.
 */
enum apikee_expiry
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * After 90 days; `expiry_seconds` is not read.
   */
  APIKEE_EXPIRY_DEFAULT = 0,
  /**
   * `expiry_seconds` after it is issued.
   */
  APIKEE_EXPIRY_AFTER = 1,
  /**
   * At the end of the second `expiry_seconds` since 1970.
   */
  APIKEE_EXPIRY_AT = 2,
  /**
   * Not at all; `expiry_seconds` is not read.
   */
  APIKEE_EXPIRY_NEVER = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apikee_expiry apikee_expiry;
#else
typedef uint32_t apikee_expiry;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How `meta` is written.
 */
enum apikee_encoding
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * JSON.
   */
  APIKEE_ENCODING_JSON = 0,
  /**
   * MessagePack.
   */
  APIKEE_ENCODING_MSGPACK = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum apikee_encoding apikee_encoding;
#else
typedef uint32_t apikee_encoding;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Secrets, of which the first signs and any is accepted. Wiped by `apikee_keyring_wipe`.
 */
typedef struct apikee_keyring {
  uint64_t opaque[84];
} apikee_keyring;

/**
 * A key that was verified, and what it says. It points into the key's text and into the buffer that the key
 * was verified with, which both stay as they are while it is used.
 */
typedef struct apikee_claims {
  uint64_t opaque[14];
} apikee_claims;

/**
 * A text by its place and its length in bytes; no NUL ends it.
 *
 * One that is returned points into the buffer or the key that it came from, or is a null pointer if
 * there is none.
 */
typedef struct apikee_text {
  /**
   * Where it starts. May be null if `len` is 0.
   */
  const char *ptr;
  /**
   * Bytes of it.
   */
  size_t len;
} apikee_text;

/**
 * What a new key shall say. All zeros, it is a key for no tenant and without scopes, for `"production"`, good
 * for 90 days.
 */
typedef struct apikee_new_key {
  /**
   * Whose key it is.
   */
  struct apikee_text tenant;
  /**
   * What it is good for, in that order. May be null if `scope_count` is 0.
   */
  const struct apikee_text *scopes;
  /**
   * How many scopes there are: `APIKEE_MAX_SCOPES` at most.
   */
  size_t scope_count;
  /**
   * The environment tag; null for `"production"`.
   */
  struct apikee_text environment;
  /**
   * Anything else, a JSON object; null for nothing.
   */
  struct apikee_text meta;
  /**
   * What `expiry_seconds` means: an `apikee_expiry`.
   */
  uint32_t expiry;
  /**
   * Whether `not_before` counts: 0 or 1.
   */
  uint32_t has_not_before;
  /**
   * When it expires.
   */
  int64_t expiry_seconds;
  /**
   * The first second in which it is good, since 1970.
   */
  int64_t not_before;
} apikee_new_key;

/**
 * Fills `len` bytes at `out` with random ones, fit for keys, and returns 0; anything else means that it could
 * not. It is called while a function of this library runs, and leaves that function's arguments alone.
 *
 * All zeros count as a failure: so a generator looks that nobody has turned on.
 */
typedef int (*apikee_random)(void *context, uint8_t *out, size_t len);

#if defined(APIKEE_ENVELOPE)
/**
 * The platform's public key, ready for sessions. It holds no secret.
 */
typedef struct apikee_server_key {
  uint64_t opaque[20];
} apikee_server_key;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * A key shared with the platform, for one request. Sealing uses it up; else `apikee_session_wipe` wipes it.
 */
typedef struct apikee_session {
  uint64_t opaque[14];
} apikee_session;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * What opens the answer to one request. Opening uses it up; else `apikee_pending_wipe` wipes it.
 */
typedef struct apikee_pending {
  uint64_t opaque[12];
} apikee_pending;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * A header field of the incoming request.
 */
typedef struct apikee_header {
  /**
   * Its name.
   */
  struct apikee_text name;
  /**
   * Its value.
   */
  struct apikee_text value;
} apikee_header;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Asks whether a client may make a request of that method and path, now.
 */
typedef struct apikee_validate_request {
  /**
   * The client's id: a UUID of 36 characters.
   */
  struct apikee_text client_id;
  /**
   * The slug of the project and environment.
   */
  struct apikee_text project_env;
  /**
   * The method of the incoming request.
   */
  struct apikee_text method;
  /**
   * Its path, percent-decoded. What follows the first `?` or `#` is left out: see `keep_query`.
   */
  struct apikee_text path;
  /**
   * The name of the key among the client's; null for `"default"`.
   */
  struct apikee_text key_name;
  /**
   * The header fields that the platform shall see, never all. May be null if `header_count` is 0.
   */
  const struct apikee_header *headers;
  /**
   * How many there are: `APIKEE_MAX_HEADERS` at most.
   */
  size_t header_count;
  /**
   * What else the platform shall see, a JSON object; null for nothing.
   */
  struct apikee_text payload;
  /**
   * Milliseconds since 1970.
   */
  int64_t now_millis;
  /**
   * 1 keeps the query of `path`, which may hold secrets; 0 leaves it out.
   */
  uint32_t keep_query;
} apikee_validate_request;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * The answer to a validate call. Its texts point into the body that it was read from; those that are absent
 * are null.
 */
typedef struct apikee_answer {
  /**
   * Whether the platform lets the request through. False after an error.
   */
  bool success;
  /**
   * Whether it came out of an envelope: from the platform, for this request.
   */
  bool sealed;
  /**
   * Whether `duration_ms` counts.
   */
  bool has_duration;
  /**
   * How long the platform took, in milliseconds.
   */
  uint64_t duration_ms;
  /**
   * The client that was asked about.
   */
  struct apikee_text client_id;
  /**
   * The project and environment that were asked about.
   */
  struct apikee_text project_env;
  /**
   * The method and path that were asked about.
   */
  struct apikee_text method_path;
  /**
   * Why the request is refused, as a code.
   */
  struct apikee_text code;
  /**
   * Why the request is refused, in words. They may hold line breaks: escape them in logs.
   */
  struct apikee_text message;
} apikee_answer;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The code of an error as a text that lasts, ended by a NUL.
 *
 * A key that is refused has the code that all Apikee SDKs use, to be sent to whoever sent the key:
 * `"EXPIRED"`. Anything else has a name for logs. Never null.
 */
const char *apikee_error_code(int32_t error);

/**
 * Makes a keyring of one secret, which signs and is accepted.
 *
 * A secret is a byte string of any length; 32 random bytes are advised. The keyring keeps a state
 * derived from it, not the secret. What stood in `keyring` is overwritten, also if this fails.
 *
 * Errors: `APIKEE_ERROR_EMPTY_SECRET`.
 */
apikee_error apikee_keyring_init(struct apikee_keyring *keyring, const void *secret, size_t secret_len);

/**
 * Adds a secret that is accepted, but signs nothing.
 *
 * Errors: `APIKEE_ERROR_EMPTY_SECRET`, `APIKEE_ERROR_KEYRING_FULL`.
 */
apikee_error apikee_keyring_accept(struct apikee_keyring *keyring, const void *secret, size_t secret_len);

/**
 * Lets keys be good so many seconds longer and earlier, for a clock that drifts. 0 at first.
 */
apikee_error apikee_keyring_set_leeway(struct apikee_keyring *keyring, uint64_t seconds);

/**
 * Overwrites a keyring with zeros, whether it was initialised or not.
 */
apikee_error apikee_keyring_wipe(struct apikee_keyring *keyring);

/**
 * Verifies a key: its signature, then its claims, then its times. `now` is in seconds since 1970.
 *
 * `buf` is the limit on the length of a key: `APIKEE_VERIFY_BUFFER_LEN(key_len)` bytes are enough, and 1024
 * are for most. A null `key` of no bytes is a request without a key. After an error, `claims` is all zeros,
 * and `buf` holds unspecified bytes.
 *
 * Errors: those from `APIKEE_ERROR_MISSING_KEY` to `APIKEE_ERROR_NOT_YET_VALID`, for the first check that
 * fails.
 */
apikee_error apikee_verify(const struct apikee_keyring *keyring,
                           const void *key,
                           size_t key_len,
                           int64_t now,
                           void *buf,
                           size_t buf_len,
                           struct apikee_claims *claims);

/**
 * Whose key it is. Empty if the issuer did not say.
 */
apikee_error apikee_claims_tenant(const struct apikee_claims *claims, struct apikee_text *tenant);

/**
 * The key's id; ids sort by the time of issue. Empty if the issuer gave none.
 */
apikee_error apikee_claims_id(const struct apikee_claims *claims, struct apikee_text *id);

/**
 * The environment tag, `"production"` if the key has none.
 */
apikee_error apikee_claims_environment(const struct apikee_claims *claims, struct apikee_text *environment);

/**
 * The last second in which the key is good, since 1970.
 *
 * Errors: `APIKEE_ERROR_ABSENT` if it never expires.
 */
apikee_error apikee_claims_expires_at(const struct apikee_claims *claims, int64_t *seconds);

/**
 * The first second in which the key is good, since 1970.
 *
 * Errors: `APIKEE_ERROR_ABSENT` if it always was.
 */
apikee_error apikee_claims_not_before(const struct apikee_claims *claims, int64_t *seconds);

/**
 * Which secret signed the key: 0 is the one that signs, the others follow as they were accepted.
 */
apikee_error apikee_claims_secret_index(const struct apikee_claims *claims, size_t *index);

/**
 * The scope of that index, in the issuer's order; for one scope after the other, count up until there is
 * none. Each call walks from the front.
 *
 * Errors: `APIKEE_ERROR_ABSENT` past the last.
 */
apikee_error apikee_claims_scope(const struct apikee_claims *claims, size_t index, struct apikee_text *scope);

/**
 * Whether the key has exactly this scope. There are no wildcards.
 *
 * Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE` if it does not.
 */
apikee_error apikee_claims_has_scope(const struct apikee_claims *claims, const void *scope, size_t scope_len);

/**
 * Makes sure that the key has all of these scopes. `missing`, unless it is null, gets the index of the
 * first that it lacks, or `count`.
 *
 * Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE`.
 */
apikee_error apikee_claims_require(const struct apikee_claims *claims,
                                   const struct apikee_text *scopes,
                                   size_t count,
                                   size_t *missing);

/**
 * The bytes of `meta` as the issuer wrote them, `{}` if there are none, and how: an `apikee_encoding`.
 */
apikee_error apikee_claims_meta(const struct apikee_claims *claims,
                                struct apikee_text *bytes,
                                uint32_t *encoding);

/**
 * Copies the member of `meta` of that name, if it is a string, into `buf`, and its length in bytes into
 * `len`. No NUL is put behind it, and some may be in it.
 *
 * Errors: `APIKEE_ERROR_ABSENT`; `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the length in `len`, and a part of the
 * string in `buf`.
 */
apikee_error apikee_claims_meta_str(const struct apikee_claims *claims,
                                    const void *name,
                                    size_t name_len,
                                    void *buf,
                                    size_t buf_len,
                                    size_t *len);

/**
 * The member of `meta` of that name, if it is an integer that fits.
 *
 * Errors: `APIKEE_ERROR_ABSENT`.
 */
apikee_error apikee_claims_meta_int(const struct apikee_claims *claims,
                                    const void *name,
                                    size_t name_len,
                                    int64_t *value);

/**
 * The member of `meta` of that name, if it is a boolean.
 *
 * Errors: `APIKEE_ERROR_ABSENT`.
 */
apikee_error apikee_claims_meta_bool(const struct apikee_claims *claims,
                                     const void *name,
                                     size_t name_len,
                                     bool *value);

/**
 * Writes the SHA-256 of a whole key, of `APIKEE_FINGERPRINT_LEN` bytes: its name for storage and deny-lists.
 * The SDKs print it as lower-case hexadecimal digits.
 */
apikee_error apikee_fingerprint(const void *key,
                                size_t key_len,
                                uint8_t (*fingerprint)[APIKEE_FINGERPRINT_LEN]);

/**
 * The front of a key that is safe in logs: 12 bytes at most, and no more than is UTF-8.
 */
apikee_error apikee_log_prefix(const void *key, size_t key_len, struct apikee_text *prefix);

/**
 * Issues a key, signed with the keyring's first secret, into `buf`, and its length into `key_len`.
 *
 * `now_millis` is in milliseconds since 1970. `random` gives the id its ten bytes, and is called again, a few
 * times at most, in one case of 256. `APIKEE_ISSUE_BUFFER_LEN(payload_len)` bytes of buffer are enough, and
 * 1024 are for most keys. The key stands at the front of `buf`; behind it, and after an error, `buf` holds
 * unspecified bytes.
 *
 * Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with a length that is enough in `key_len`;
 * `APIKEE_ERROR_CLAIMS_TOO_LONG`, `APIKEE_ERROR_TIME_OUT_OF_RANGE`, `APIKEE_ERROR_INVALID_JSON`,
 * `APIKEE_ERROR_TOO_MANY`, `APIKEE_ERROR_RANDOM_FAILED`.
 */
apikee_error apikee_issue(const struct apikee_keyring *keyring,
                          const struct apikee_new_key *new_key,
                          int64_t now_millis,
                          apikee_random random,
                          void *random_context,
                          void *buf,
                          size_t buf_len,
                          size_t *key_len);

/**
 * Bytes of buffer that are enough to verify a key of that length.
 */
size_t apikee_verify_buffer_len(size_t key_len);

/**
 * Bytes of buffer that are enough to issue a key with a payload, compact JSON, of that length.
 */
size_t apikee_issue_buffer_len(size_t payload_len);

#if defined(APIKEE_ENVELOPE)
/**
 * Bytes of the envelope around a plaintext of that length.
 */
size_t apikee_sealed_len(size_t plaintext_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Reads the platform's public key: 64 hexadecimal digits, or base64 of 32 bytes, of either alphabet, padded
 * or not. What stood in `server_key` is overwritten, also if this fails.
 *
 * Errors: `APIKEE_ERROR_SERVER_KEY_MALFORMED`, `APIKEE_ERROR_SERVER_KEY_LOW_ORDER`.
 */
apikee_error apikee_server_key_init(struct apikee_server_key *server_key, const void *text, size_t text_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Establishes a session, which draws 32 bytes. It takes two X25519 operations, and may be done ahead of time.
 * What stood in `session` is overwritten, also if this fails.
 *
 * Errors: `APIKEE_ERROR_RANDOM_FAILED`.
 */
apikee_error apikee_session_establish(struct apikee_session *session,
                                      const struct apikee_server_key *server_key,
                                      apikee_random random,
                                      void *random_context);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Seals a request into `buf`, of `APIKEE_SEALED_LEN(plaintext_len)` bytes, and draws its nonce of 12 bytes.
 * The envelope's length goes into `envelope_len`, and what opens the answer into `pending`. The session is
 * used up, unless it is an argument that is wrong, or a buffer that is too small.
 *
 * Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the envelope's length in `envelope_len`;
 * `APIKEE_ERROR_RANDOM_FAILED`.
 */
apikee_error apikee_session_seal(struct apikee_session *session,
                                 const void *plaintext,
                                 size_t plaintext_len,
                                 apikee_random random,
                                 void *random_context,
                                 void *buf,
                                 size_t buf_len,
                                 size_t *envelope_len,
                                 struct apikee_pending *pending);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Opens the answer, `answer_len` bytes at `answer`, where it stands. `plaintext` then points into it. The
 * pending is used up, unless it is an argument that is wrong.
 *
 * After an error `answer` holds parts of the envelope, never of a plaintext.
 *
 * Errors: those from `APIKEE_ERROR_ENVELOPE_MALFORMED` to `APIKEE_ERROR_ENVELOPE_FORGED`.
 */
apikee_error apikee_pending_open(struct apikee_pending *pending,
                                 void *answer,
                                 size_t answer_len,
                                 struct apikee_text *plaintext);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Overwrites a session with zeros, whether it was established or not.
 */
apikee_error apikee_session_wipe(struct apikee_session *session);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Overwrites a pending with zeros, whether there is one or not.
 */
apikee_error apikee_pending_wipe(struct apikee_pending *pending);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Writes the target of a validate call, path and query, to the front of `buf`: what follows the base URL's
 * own path. It is visible ASCII. `target_len` gets its length.
 *
 * Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the exact length in `target_len`;
 * `APIKEE_ERROR_INVALID_CLIENT_ID`, `APIKEE_ERROR_INVALID_METHOD`, `APIKEE_ERROR_TIME_OUT_OF_RANGE`,
 * `APIKEE_ERROR_INVALID_JSON`, `APIKEE_ERROR_TOO_MANY`.
 */
apikee_error apikee_validate_target(const struct apikee_validate_request *request,
                                    void *buf,
                                    size_t buf_len,
                                    size_t *target_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Writes the body of a validate call, the plaintext for `apikee_session_seal`, to the front of `buf`. It holds
 * the raw key if the headers do. `body_len` gets its length.
 *
 * Errors: as of `apikee_validate_target`.
 */
apikee_error apikee_validate_body(const struct apikee_validate_request *request,
                                  void *buf,
                                  size_t buf_len,
                                  size_t *body_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Opens the answer, `body_len` bytes at `body`, and reads what it says. The body is changed where it stands.
 * The pending is used up, unless it is an argument that is wrong.
 *
 * Any error means that the platform has not answered.
 *
 * Errors: those of `apikee_pending_open`, `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`.
 */
apikee_error apikee_pending_read_answer(struct apikee_pending *pending,
                                        void *body,
                                        size_t body_len,
                                        struct apikee_answer *answer);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Reads an answer that came without an envelope, as some deployments send it.
 *
 * Nothing but the connection says who wrote it, or for which request: whoever sits where TLS ends can let all
 * requests through. Only for where the user has asked for this.
 *
 * Errors: `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`.
 */
apikee_error apikee_answer_read_unsealed(void *body, size_t body_len, struct apikee_answer *answer);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* APIKEE_H */


#ifndef APIKEE_STATIC_ASSERT
#if defined(__cplusplus)
#define APIKEE_STATIC_ASSERT(holds) static_assert(holds, #holds)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define APIKEE_STATIC_ASSERT(holds) _Static_assert(holds, #holds)
#else
#define APIKEE_STATIC_ASSERT(holds) extern char apikee_static_assert[(holds) ? 1 : -1]
#endif
APIKEE_STATIC_ASSERT(sizeof(apikee_error) == 4);
APIKEE_STATIC_ASSERT(sizeof(apikee_keyring) == APIKEE_KEYRING_SIZE);
APIKEE_STATIC_ASSERT(sizeof(apikee_claims) == APIKEE_CLAIMS_SIZE);
#ifdef APIKEE_ENVELOPE
APIKEE_STATIC_ASSERT(sizeof(apikee_server_key) == APIKEE_SERVER_KEY_SIZE);
APIKEE_STATIC_ASSERT(sizeof(apikee_session) == APIKEE_SESSION_SIZE);
APIKEE_STATIC_ASSERT(sizeof(apikee_pending) == APIKEE_PENDING_SIZE);
#endif
#endif
