/*
 * apikee: issue and verify Apikee API keys; seal and open the platform's envelopes.
 *
 * No function allocates, blocks, reads a clock or keeps state. The caller owns all objects and buffers.
 * Declarations under APIKEE_ENVELOPE need a library that was built with the feature `envelope`.
 *
 * Results. A function's name says what it returns:
 *
 * - apikee_..._has_... returns a bool. It is false after any error.
 * - apikee_verify, apikee_..._require_... and all other verbs return an apikee_error. This is not a boolean: 0 means
 *   success. Compare it with APIKEE_ERROR_OK. GCC, Clang and compilers for C++17 or C23 warn if you ignore it, MSVC for
 *   older standards only with /analyze.
 *     if (apikee_verify(...) != APIKEE_ERROR_OK) { refuse the request }
 * - A noun, such as apikee_sealed_len, returns the value itself. apikee_..._wipe returns nothing and cannot fail.
 *
 * Rules for all functions:
 *
 * - The time is an argument. A clock at 0, or one that is too early for another reason, makes expired keys good: verify
 *   nothing until the time is known.
 * - A pointer with a length must point to this number of bytes, and one with a count to this number of elements. It may
 *   be null if the number is 0. Any other pointer must not be null unless its documentation allows null. All pointers
 *   must be aligned for their type, and an apikee_text must be UTF-8. The library checks for null, alignment, lengths
 *   that wrap around, overlaps and UTF-8, and returns an error. It cannot check the rest.
 * - Memory that a function writes must not overlap another argument. A function never writes past a buffer.
 * - An object must be all zeros, or be made by its function. Do not copy a keyring, a session or a pending: you would
 *   have to wipe the copy, too, and a session is for one request only.
 * - After an error, results behind pointers are zeros, unless the documentation says otherwise. After
 *   APIKEE_ERROR_NULL_POINTER, APIKEE_ERROR_MISALIGNED and APIKEE_ERROR_OVERLAP, they and the old contents of an object
 *   may be unchanged.
 * - An apikee_text from a function points into a buffer that you passed before: keep the buffer unchanged.
 * - An object that a function takes without const may be used by one thread at a time. An object that functions take as
 *   const may be used by any number of threads.
 */


#ifndef APIKEE_H
#define APIKEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The compiler warns if the result is not used. */
#ifndef APIKEE_MUST_USE
#if (defined(__cplusplus) && __cplusplus >= 201703L) || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L) || \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define APIKEE_MUST_USE [[nodiscard]]
#elif defined(__GNUC__) || defined(__clang__)
#define APIKEE_MUST_USE __attribute__((warn_unused_result))
#elif defined(_MSC_VER)
/* For /analyze. */
#include <sal.h>
#define APIKEE_MUST_USE _Check_return_
#else
#define APIKEE_MUST_USE
#endif
#endif

#ifdef __cplusplus
#define APIKEE_SIZE(number) static_cast<size_t>(number)
#else
#define APIKEE_SIZE(number) ((size_t)(number))
#endif

/* A text from a literal, without its NUL: apikee_text tenant = APIKEE_TEXT("acme-corp");
 * Only a literal compiles, because the size of a pointer is not the length of its text. */
#define APIKEE_TEXT(literal) { "" literal, sizeof("" literal) - 1 }

/* Two of the next macros wrap around for huge lengths: APIKEE_ISSUE_BUFFER_LEN from about SIZE_MAX / 16 on, and
 * APIKEE_SEALED_LEN from about SIZE_MAX / 4 on. Their functions return SIZE_MAX if a size does not fit. */

/* The size of a buffer that is enough to verify a key with this length. It is a little larger than the result of
 * apikee_verify_buffer_len. */
#define APIKEE_VERIFY_BUFFER_LEN(key_len) (APIKEE_SIZE(key_len) / 4 * 3 + 16)

/* The size of a buffer that is enough to issue a key with a payload of this length: apikee_issue_buffer_len. */
#define APIKEE_ISSUE_BUFFER_LEN(payload_len) \
  (APIKEE_SIZE(payload_len) + (APIKEE_SIZE(payload_len) * 16 + 118) / 119 * 10 + 58)

/* The size of the envelope around a plaintext of this length: apikee_sealed_len. */
#define APIKEE_SEALED_LEN(plaintext_len) (93 + ((APIKEE_SIZE(plaintext_len) + 16) * 4 + 2) / 3)


/**
 * The maximum number of secrets in a keyring.
 */
#define APIKEE_MAX_SECRETS 8

/**
 * Bytes of an `apikee_keyring`, on every target.
 */
#define APIKEE_KEYRING_SIZE 672

/**
 * The longest leeway in seconds that `apikee_keyring_set_leeway` accepts: a day.
 */
#define APIKEE_MAX_LEEWAY 86400

/**
 * Bytes of an `apikee_claims`, on every target.
 */
#define APIKEE_CLAIMS_SIZE 112

/**
 * Bytes of a fingerprint.
 */
#define APIKEE_FINGERPRINT_LEN 32

/**
 * The maximum number of scopes that `apikee_issue` accepts.
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
 * The maximum number of headers in a request.
 */
#define APIKEE_MAX_HEADERS 16
#endif

/**
 * Why a function failed. The numbers never change.
 */
enum apikee_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * No error: the function succeeded.
   */
  APIKEE_ERROR_OK = 0,
  /**
   * The request has no key.
   */
  APIKEE_ERROR_MISSING_KEY = 1,
  /**
   * The key is refused: it does not start with `apikee_`.
   */
  APIKEE_ERROR_INVALID_PREFIX = 2,
  /**
   * The key is refused: it has no `.` after the payload.
   */
  APIKEE_ERROR_INVALID_FORMAT = 3,
  /**
   * The key is refused: it cannot be decoded, or its claims are not well-formed.
   */
  APIKEE_ERROR_DECODE = 4,
  /**
   * The key is refused: it does not fit the buffer, so it was not checked.
   */
  APIKEE_ERROR_KEY_TOO_LONG = 5,
  /**
   * The key is refused: no secret of the keyring signed it.
   */
  APIKEE_ERROR_INVALID_SIGNATURE = 6,
  /**
   * The key is refused: it has expired.
   */
  APIKEE_ERROR_EXPIRED = 7,
  /**
   * The key is refused: it is not valid yet.
   */
  APIKEE_ERROR_NOT_YET_VALID = 8,
  /**
   * The request is refused: the key lacks a scope.
   */
  APIKEE_ERROR_INSUFFICIENT_SCOPE = 9,
  /**
   * The request is refused by the platform.
   */
  APIKEE_ERROR_SERVER_REJECTED = 10,
  /**
   * A pointer is null but must not be.
   */
  APIKEE_ERROR_NULL_POINTER = 32,
  /**
   * A pointer is not aligned for its type.
   */
  APIKEE_ERROR_MISALIGNED = 33,
  /**
   * A length is larger than the address space.
   */
  APIKEE_ERROR_INVALID_LENGTH = 34,
  /**
   * Memory to be written overlaps another argument.
   */
  APIKEE_ERROR_OVERLAP = 35,
  /**
   * An object was not initialised, was wiped, or was used up.
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
   * The buffer is too small. If the function returns a length, that length is enough.
   */
  APIKEE_ERROR_BUFFER_TOO_SMALL = 39,
  /**
   * The claim, scope or member does not exist, or has another type.
   */
  APIKEE_ERROR_ABSENT = 40,
  /**
   * The random number generator failed or returned zeros, or no usable id was drawn in 16 attempts.
   */
  APIKEE_ERROR_RANDOM_FAILED = 41,
  /**
   * The secret is empty.
   */
  APIKEE_ERROR_EMPTY_SECRET = 64,
  /**
   * The keyring already has `APIKEE_MAX_SECRETS` secrets.
   */
  APIKEE_ERROR_KEYRING_FULL = 65,
  /**
   * The claims are too long for a key.
   */
  APIKEE_ERROR_CLAIMS_TOO_LONG = 66,
  /**
   * A time is out of range, or `expiry` is unknown.
   */
  APIKEE_ERROR_TIME_OUT_OF_RANGE = 67,
  /**
   * A text is not a well-formed JSON object.
   */
  APIKEE_ERROR_INVALID_JSON = 68,
  /**
   * The server's public key is neither 64 hexadecimal digits nor base64 of 32 bytes.
   */
  APIKEE_ERROR_SERVER_KEY_MALFORMED = 96,
  /**
   * The server's public key has low order, for example a placeholder of zeros.
   */
  APIKEE_ERROR_SERVER_KEY_LOW_ORDER = 97,
  /**
   * The envelope is not a well-formed JSON object.
   */
  APIKEE_ERROR_ENVELOPE_MALFORMED = 98,
  /**
   * The body is not an envelope.
   */
  APIKEE_ERROR_ENVELOPE_UNSEALED = 99,
  /**
   * The envelope's version is unknown.
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
   * The answer is not a well-formed JSON object.
   */
  APIKEE_ERROR_ANSWER_MALFORMED = 105,
  /**
   * The answer has no boolean `success`.
   */
  APIKEE_ERROR_ANSWER_NO_VERDICT = 106,
  /**
   * The answer is about another client, project and environment, method or path.
   */
  APIKEE_ERROR_ANSWER_ANOTHER_REQUEST = 107,
  /**
   * The client's id is not a UUID of 36 characters.
   */
  APIKEE_ERROR_INVALID_CLIENT_ID = 108,
  /**
   * The method is not an HTTP token.
   */
  APIKEE_ERROR_INVALID_METHOD = 109,
  /**
   * An error for which this interface has no code.
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
   * After 90 days; `expiry_seconds` is ignored.
   */
  APIKEE_EXPIRY_DEFAULT = 0,
  /**
   * `expiry_seconds` after the time of issue.
   */
  APIKEE_EXPIRY_AFTER = 1,
  /**
   * At the end of the second `expiry_seconds` since 1970.
   */
  APIKEE_EXPIRY_AT = 2,
  /**
   * Never; `expiry_seconds` is ignored.
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
 * The encoding of `meta`.
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
 * The secrets that sign keys: the first signs, and all are accepted. `apikee_keyring_wipe` wipes it.
 */
typedef struct apikee_keyring {
  uint64_t opaque[84];
} apikee_keyring;

/**
 * The claims of a verified key. They point into the key's text and into the buffer that the key was verified with:
 * keep both unchanged while you use them.
 */
typedef struct apikee_claims {
  uint64_t opaque[14];
} apikee_claims;

/**
 * A text: its start, and its length in bytes. It does not end with a NUL.
 *
 * A text from a function points into the buffer or the key that it came from, or to a constant. It is null if there is
 * none.
 */
typedef struct apikee_text {
  /**
   * The first byte. May be null if `len` is 0.
   */
  const char *ptr;
  /**
   * The length in bytes.
   */
  size_t len;
} apikee_text;

/**
 * The claims of a new key. All zeros mean: no tenant, no scopes, `"production"`, and an expiry after 90 days.
 */
typedef struct apikee_new_key {
  /**
   * Tenant that owns the key.
   */
  struct apikee_text tenant;
  /**
   * The scopes, in this order. May be null if `scope_count` is 0.
   */
  const struct apikee_text *scopes;
  /**
   * Number of scopes, at most `APIKEE_MAX_SCOPES`.
   */
  size_t scope_count;
  /**
   * The environment tag; null for `"production"`.
   */
  struct apikee_text environment;
  /**
   * Further claims, as a JSON object; null for none.
   */
  struct apikee_text meta;
  /**
   * The meaning of `expiry_seconds`: an `apikee_expiry`.
   */
  uint32_t expiry;
  /**
   * Whether `not_before` is used.
   */
  bool has_not_before;
  /**
   * The time of expiry: see `expiry`.
   */
  int64_t expiry_seconds;
  /**
   * The first second in which the key is good, since 1970.
   */
  int64_t not_before;
} apikee_new_key;

/**
 * Fills `len` bytes at `out` with random bytes that are fit for keys, and returns 0. Any other number means failure.
 * This is the convention of mbedTLS: `mbedtls_ctr_drbg_random` is such a function.
 *
 * `context` is the `random_context` of the call; it may be null. The function is called on the caller's stack while a
 * function of this library runs. It must not touch any other argument of that function. It must return: an exception
 * or `longjmp` is not allowed. Bytes that are all zeros count as a failure, because a generator that is switched off
 * returns them. A generator that repeats itself is not noticed, and then envelopes can be read and forged: notice it
 * in your function.
 */
typedef int (*apikee_random)(void *context, uint8_t *out, size_t len);

#if defined(APIKEE_ENVELOPE)
/**
 * The platform's public key, ready for sessions. It contains no secret.
 */
typedef struct apikee_server_key {
  uint64_t opaque[20];
} apikee_server_key;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * A key shared with the platform, for one request. Sealing uses it up. If it is not used, wipe it with
 * `apikee_session_wipe`.
 */
typedef struct apikee_session {
  uint64_t opaque[14];
} apikee_session;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * The state that opens the answer to one request. Opening uses it up. If it is not used, wipe it with
 * `apikee_pending_wipe`.
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
   * The name.
   */
  struct apikee_text name;
  /**
   * The value.
   */
  struct apikee_text value;
} apikee_header;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * A question to the platform: may a client make a request with this method and path now?
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
   * Its path, percent-decoded. The part from the first `?` or `#` on is left out: see `keep_query`.
   */
  struct apikee_text path;
  /**
   * The name of the key among the client's keys; null for `"default"`.
   */
  struct apikee_text key_name;
  /**
   * The header fields for the platform. Do not send all of them. May be null if `header_count` is 0.
   */
  const struct apikee_header *headers;
  /**
   * Number of header fields, at most `APIKEE_MAX_HEADERS`.
   */
  size_t header_count;
  /**
   * Further data for the platform, as a JSON object; null for none.
   */
  struct apikee_text payload;
  /**
   * The current time in milliseconds since 1970.
   */
  int64_t now_millis;
  /**
   * Keeps the query of `path`, which may contain secrets. False leaves it out.
   */
  bool keep_query;
} apikee_validate_request;
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * The platform's answer to a validate call. Its texts point into the body that it was parsed from. An absent text is
 * null.
 */
typedef struct apikee_answer {
  /**
   * Whether the platform lets the request through. False after any error.
   */
  bool success;
  /**
   * Whether the answer was in an envelope. Then the platform made it for this request.
   */
  bool sealed;
  /**
   * Whether `duration_ms` is valid.
   */
  bool has_duration;
  /**
   * The time that the platform took, in milliseconds.
   */
  uint64_t duration_ms;
  /**
   * The client, if the answer names it: that of the request, perhaps with capital letters.
   */
  struct apikee_text client_id;
  /**
   * The project and environment.
   */
  struct apikee_text project_env;
  /**
   * The method and path, perhaps with one colon between them.
   */
  struct apikee_text method_path;
  /**
   * The platform's reason for a refusal, as a code. See `message` before you log it.
   */
  struct apikee_text code;
  /**
   * The platform's reason for a refusal, in words. Like `code`, it is the platform's text: it may contain line
   * breaks, and repeat what was sent to it, including the key of the request and the project key. Before you log
   * either of them, escape it and remove all keys.
   */
  struct apikee_text message;
} apikee_answer;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The code of an error as a constant text that ends with a NUL. Never null.
 *
 * For a refusal it is the code that all Apikee SDKs send to the client, such as `"EXPIRED"`. For any other error it is
 * a name for logs.
 */
const char *apikee_error_code(int32_t error);

/**
 * Makes a keyring with one secret, which signs and is accepted.
 *
 * A secret is a byte string of any length; use 32 random bytes. The keyring contains a state that is derived from the
 * secret, not the secret. It is built in place. The old contents of `keyring` are overwritten, also after an error.
 *
 * Errors: `APIKEE_ERROR_EMPTY_SECRET`.
 */
APIKEE_MUST_USE
apikee_error apikee_keyring_init(struct apikee_keyring *keyring,
                                 const void *secret,
                                 size_t secret_len);

/**
 * Adds a secret that is accepted but does not sign.
 *
 * Errors: `APIKEE_ERROR_EMPTY_SECRET`, `APIKEE_ERROR_KEYRING_FULL`. The keyring is unchanged then.
 */
APIKEE_MUST_USE
apikee_error apikee_keyring_accept(struct apikee_keyring *keyring,
                                   const void *secret,
                                   size_t secret_len);

/**
 * Makes keys good for `seconds` longer, and `seconds` earlier, for a clock that drifts. The leeway is 0 until this is
 * called.
 *
 * Errors: `APIKEE_ERROR_TIME_OUT_OF_RANGE` for more than `APIKEE_MAX_LEEWAY`, and for a negative number, which C
 * converts to a large one. The leeway is unchanged then.
 */
APIKEE_MUST_USE
apikee_error apikee_keyring_set_leeway(struct apikee_keyring *keyring,
                                       uint64_t seconds);

/**
 * Overwrites a keyring with zeros, whether it was initialised or not. Does nothing if `keyring` is null.
 */
void apikee_keyring_wipe(struct apikee_keyring *keyring);

/**
 * Verifies a key: its signature, then its claims, then its times. Only `APIKEE_ERROR_OK` means that it is good.
 *
 * `now` is in seconds since 1970. A clock at 0, or one that is too early for another reason, makes expired keys good:
 * a device whose clock starts at 1970 must not verify keys until it knows the time.
 *
 * The size of `buf` limits the length of a key: `APIKEE_VERIFY_BUFFER_LEN(key_len)` bytes are enough, and 1024
 * are enough for most keys. A null `key` with length 0 is a request without a key. After an error, `claims` is
 * all zeros, and `buf` contains unspecified bytes.
 *
 * Errors: those from `APIKEE_ERROR_MISSING_KEY` to `APIKEE_ERROR_NOT_YET_VALID`, for the first check that
 * fails.
 */
APIKEE_MUST_USE
apikee_error apikee_verify(const struct apikee_keyring *keyring,
                           const void *key,
                           size_t key_len,
                           int64_t now,
                           void *buf,
                           size_t buf_len,
                           struct apikee_claims *claims);

/**
 * Whether the key has this scope. A scope matches only itself: there are no wildcards.
 *
 * True only for the claims of a key that was verified; false after any error.
 */
APIKEE_MUST_USE
bool apikee_claims_has_scope(const struct apikee_claims *claims,
                             const void *scope,
                             size_t scope_len);

/**
 * Checks that the key has this scope. A scope matches only itself: there are no wildcards.
 *
 * Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_require_scope(const struct apikee_claims *claims,
                                         const void *scope,
                                         size_t scope_len);

/**
 * Checks that the key has all of these scopes. An empty list needs no scope.
 *
 * `missing` may be null. It receives the index of the first scope that the key lacks, or `count` if it lacks none.
 *
 * Errors: `APIKEE_ERROR_INSUFFICIENT_SCOPE`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_require_scopes(const struct apikee_claims *claims,
                                          const struct apikee_text *scopes,
                                          size_t count,
                                          size_t *missing);

/**
 * The tenant that owns the key. Empty if the issuer did not name one.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_tenant(const struct apikee_claims *claims,
                                      struct apikee_text *tenant);

/**
 * The key's id. Ids sort by their time of issue. Empty if the key has none.
 */
APIKEE_MUST_USE apikee_error apikee_claims_get_id(const struct apikee_claims *claims, struct apikee_text *id);

/**
 * The environment tag. `"production"` if the key has none.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_environment(const struct apikee_claims *claims,
                                           struct apikee_text *environment);

/**
 * The last second in which the key is good, since 1970.
 *
 * Errors: `APIKEE_ERROR_ABSENT` if the key never expires.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_expires_at(const struct apikee_claims *claims,
                                          int64_t *seconds);

/**
 * The first second in which the key is good, since 1970.
 *
 * Errors: `APIKEE_ERROR_ABSENT` if the key has no such time.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_not_before(const struct apikee_claims *claims,
                                          int64_t *seconds);

/**
 * The index of the secret that signed the key: 0 is the one of `apikee_keyring_init`, the others follow in the
 * order of `apikee_keyring_accept`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_secret_index(const struct apikee_claims *claims,
                                            size_t *index);

/**
 * The scope with this index, in the issuer's order. To list all scopes, count up from 0 until `APIKEE_ERROR_ABSENT`.
 * Each call starts at the first scope.
 *
 * Errors: `APIKEE_ERROR_ABSENT` after the last scope.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_scope(const struct apikee_claims *claims,
                                     size_t index,
                                     struct apikee_text *scope);

/**
 * The bytes of `meta` as the issuer wrote them. `{}` if the key has no `meta`. `encoding` receives their encoding: an
 * `apikee_encoding`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_meta(const struct apikee_claims *claims,
                                    struct apikee_text *bytes,
                                    uint32_t *encoding);

/**
 * Copies the member of `meta` with this name into `buf`, if it is a string. `len` receives its length in bytes. The
 * string does not end with a NUL, and may contain NULs.
 *
 * Errors: `APIKEE_ERROR_ABSENT`; `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the string's length in `len` and a part
 * of it in `buf`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_meta_str(const struct apikee_claims *claims,
                                        const void *name,
                                        size_t name_len,
                                        void *buf,
                                        size_t buf_len,
                                        size_t *len);

/**
 * The member of `meta` with this name, if it is an integer that fits.
 *
 * Errors: `APIKEE_ERROR_ABSENT`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_meta_int(const struct apikee_claims *claims,
                                        const void *name,
                                        size_t name_len,
                                        int64_t *value);

/**
 * The member of `meta` with this name, if it is a boolean. Check the error first: `value` is also false if there is no
 * such member.
 *
 * Errors: `APIKEE_ERROR_ABSENT`.
 */
APIKEE_MUST_USE
apikee_error apikee_claims_get_meta_bool(const struct apikee_claims *claims,
                                         const void *name,
                                         size_t name_len,
                                         bool *value);

/**
 * The SHA-256 of a whole key, `APIKEE_FINGERPRINT_LEN` bytes. Use it for storage and deny-lists. The
 * SDKs print it as lower-case hexadecimal digits.
 *
 * A text that is not a key has a fingerprint, too. On a deny-list it revokes nothing.
 *
 * Errors: `APIKEE_ERROR_MISSING_KEY` if `key` is null and `key_len` is 0.
 */
APIKEE_MUST_USE
apikee_error apikee_get_fingerprint(const void *key,
                                    size_t key_len,
                                    uint8_t (*fingerprint)[APIKEE_FINGERPRINT_LEN]);

/**
 * The first characters of a key, which do not reveal it: at most 12 bytes, up to the first byte that is not UTF-8. If
 * the key is not verified, they may be control characters: escape them before you log them.
 */
APIKEE_MUST_USE
apikee_error apikee_get_log_prefix(const void *key,
                                   size_t key_len,
                                   struct apikee_text *prefix);

/**
 * Issues a key into `buf`, signed with the keyring's first secret. `key_len` receives its length.
 *
 * `now_millis` is in milliseconds since 1970. `random` gives the ten random bytes of the key's id. For one key in 256
 * it is called again, at most a few times. A buffer of `APIKEE_ISSUE_BUFFER_LEN(payload_len)` bytes is enough, and
 * 1024 are enough for most keys. The key is at the start of `buf` and does not end with a NUL. The rest of `buf`
 * contains unspecified bytes; after an error all of `buf` does.
 *
 * Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with a sufficient length in `key_len`; `APIKEE_ERROR_CLAIMS_TOO_LONG`,
 * `APIKEE_ERROR_TIME_OUT_OF_RANGE`, `APIKEE_ERROR_INVALID_JSON`, `APIKEE_ERROR_TOO_MANY`,
 * `APIKEE_ERROR_RANDOM_FAILED`.
 */
APIKEE_MUST_USE
apikee_error apikee_issue(const struct apikee_keyring *keyring,
                          const struct apikee_new_key *new_key,
                          int64_t now_millis,
                          apikee_random random,
                          void *random_context,
                          void *buf,
                          size_t buf_len,
                          size_t *key_len);

/**
 * The size of a buffer in bytes that is enough to verify a key with this length.
 */
APIKEE_MUST_USE size_t apikee_verify_buffer_len(size_t key_len);

/**
 * The size of a buffer in bytes that is enough to issue a key whose payload, compact JSON, has this length.
 */
APIKEE_MUST_USE size_t apikee_issue_buffer_len(size_t payload_len);

#if defined(APIKEE_ENVELOPE)
/**
 * The size in bytes of the envelope around a plaintext with this length.
 */
APIKEE_MUST_USE size_t apikee_sealed_len(size_t plaintext_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Parses the platform's public key: 64 hexadecimal digits, or base64 of 32 bytes in either alphabet, padded or not.
 * The old contents of `server_key` are overwritten, also after an error.
 *
 * Errors: `APIKEE_ERROR_SERVER_KEY_MALFORMED`, `APIKEE_ERROR_SERVER_KEY_LOW_ORDER`.
 */
APIKEE_MUST_USE
apikee_error apikee_server_key_init(struct apikee_server_key *server_key,
                                    const void *text,
                                    size_t text_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Establishes a session for one request: it draws 32 random bytes and computes two X25519 operations. You can do this
 * ahead of time. The old contents of `session` are overwritten, also after an error.
 *
 * Errors: `APIKEE_ERROR_RANDOM_FAILED`.
 */
APIKEE_MUST_USE
apikee_error apikee_session_establish(struct apikee_session *session,
                                      const struct apikee_server_key *server_key,
                                      apikee_random random,
                                      void *random_context);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Seals a request into `buf`, which needs `APIKEE_SEALED_LEN(plaintext_len)` bytes. It draws a nonce of 12 bytes.
 * `envelope_len` receives the envelope's length, and `pending` the state that opens the answer. The session is used
 * up, except after an error about an argument or a buffer that is too small.
 *
 * Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the envelope's length in `envelope_len`;
 * `APIKEE_ERROR_RANDOM_FAILED`.
 */
APIKEE_MUST_USE
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
 * Opens an answer in place: `answer_len` bytes at `answer`. `plaintext` then points into it. The pending is used up,
 * except after an error about an argument.
 *
 * An answer that can be opened may still be a refusal: see `apikee_pending_require_success`. After an error, `answer`
 * contains parts of the envelope, never of a plaintext.
 *
 * Errors: those from `APIKEE_ERROR_ENVELOPE_MALFORMED` to `APIKEE_ERROR_ENVELOPE_FORGED`.
 */
APIKEE_MUST_USE
apikee_error apikee_pending_open(struct apikee_pending *pending,
                                 void *answer,
                                 size_t answer_len,
                                 struct apikee_text *plaintext);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Overwrites a session with zeros, whether it was initialised or not. Does nothing if `session` is null.
 */
void apikee_session_wipe(struct apikee_session *session);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Overwrites a pending with zeros, whether it was initialised or not. Does nothing if `pending` is null.
 */
void apikee_pending_wipe(struct apikee_pending *pending);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Writes the target of a validate call to the start of `buf`: path and query, to be appended to the base URL. It is
 * visible ASCII. `target_len` receives its length. This function makes no call itself.
 *
 * Errors: `APIKEE_ERROR_BUFFER_TOO_SMALL`, with the exact length in `target_len`;
 * `APIKEE_ERROR_INVALID_CLIENT_ID`, `APIKEE_ERROR_INVALID_METHOD`, `APIKEE_ERROR_TIME_OUT_OF_RANGE`,
 * `APIKEE_ERROR_INVALID_JSON`, `APIKEE_ERROR_TOO_MANY`, `APIKEE_ERROR_INVALID_UTF8`.
 *
 * A client of your service can cause these errors: with a long path, one that is not UTF-8, or a strange method. So
 * none of them may count as an outage: refuse the request. If `buf` is too small, it contains a part of the target.
 */
APIKEE_MUST_USE
apikee_error apikee_write_validate_target(const struct apikee_validate_request *request,
                                          void *buf,
                                          size_t buf_len,
                                          size_t *target_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Writes the body of a validate call to the start of `buf`: the plaintext for `apikee_session_seal`. It contains the
 * raw key if the headers do: then wipe `buf` after sealing. `body_len` receives its length. This function makes no
 * call itself.
 *
 * Errors: those of `apikee_write_validate_target`, with the exact length in `body_len`.
 *
 * A client of your service can cause these errors, also with long or many header fields, or with ones that are not
 * UTF-8. So none of them may count as an outage: refuse the request. If `buf` is too small, it contains a part of the
 * body, perhaps of the raw key: wipe it.
 */
APIKEE_MUST_USE
apikee_error apikee_write_validate_body(const struct apikee_validate_request *request,
                                        void *buf,
                                        size_t buf_len,
                                        size_t *body_len);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Opens the answer to a validate call, `body_len` bytes at `body`, and checks that the platform lets the request
 * through. Only `APIKEE_ERROR_OK` means that it does.
 *
 * `request` is the request that was sent: the answer must be about its client, project and environment, method and
 * path, if it names them. The body is decrypted in place, and the texts of `answer` point into it. The pending is used
 * up, except after an error about an argument.
 *
 * Errors: `APIKEE_ERROR_SERVER_REJECTED` if the platform refuses the request; `answer` then contains the reason. Any
 * other error means that there is no trustworthy answer: the errors of `apikee_pending_open`,
 * `APIKEE_ERROR_ANSWER_MALFORMED`, `APIKEE_ERROR_ANSWER_NO_VERDICT`, `APIKEE_ERROR_ANSWER_ANOTHER_REQUEST`. Errors
 * about `request`: `APIKEE_ERROR_INVALID_CLIENT_ID`, `APIKEE_ERROR_INVALID_METHOD`,
 * `APIKEE_ERROR_TIME_OUT_OF_RANGE`.
 *
 * Call this only for an answer with a status from 200 to 299.
 */
APIKEE_MUST_USE
apikee_error apikee_pending_require_success(struct apikee_pending *pending,
                                            const struct apikee_validate_request *request,
                                            void *body,
                                            size_t body_len,
                                            struct apikee_answer *answer);
#endif

#if defined(APIKEE_ENVELOPE)
/**
 * Like `apikee_pending_require_success`, for an answer without an envelope. Some deployments send such answers.
 *
 * Nothing except the connection proves who wrote such an answer, or for which request. An attacker at the end of the
 * TLS connection can let all requests through. Call this only if the user has asked for it.
 *
 * Errors: those of `apikee_pending_require_success`, except for the errors of `apikee_pending_open`.
 *
 * Call this only for an answer with a status from 200 to 299.
 */
APIKEE_MUST_USE
apikee_error apikee_unsealed_require_success(const struct apikee_validate_request *request,
                                             void *body,
                                             size_t body_len,
                                             struct apikee_answer *answer);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* APIKEE_H */


/* The alignment of a uint64_t in a structure. */
#if defined(__i386__) && !defined(_WIN32)
#define APIKEE_ALIGN 4
#else
#define APIKEE_ALIGN 8
#endif

#ifndef APIKEE_SIZES
#ifdef APIKEE_ENVELOPE
#define APIKEE_SIZES \
  (sizeof(apikee_server_key) == APIKEE_SERVER_KEY_SIZE && sizeof(apikee_session) == APIKEE_SESSION_SIZE && \
   sizeof(apikee_pending) == APIKEE_PENDING_SIZE && sizeof(apikee_answer) % APIKEE_ALIGN == 0 && \
   sizeof(apikee_validate_request) % APIKEE_ALIGN == 0)
#else
#define APIKEE_SIZES 1
#endif
/* Does not compile if an object has another size than in the library, or if structures are packed. */
typedef char apikee_sizes[APIKEE_SIZES && sizeof(apikee_error) == 4 && sizeof(bool) == 1 &&
                                  sizeof(apikee_keyring) == APIKEE_KEYRING_SIZE &&
                                  sizeof(apikee_claims) == APIKEE_CLAIMS_SIZE &&
                                  sizeof(apikee_new_key) % APIKEE_ALIGN == 0
                              ? 1
                              : -1];
#endif
