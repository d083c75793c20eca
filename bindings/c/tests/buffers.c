/* Buffers of each size: output that fits is written, output that does not fit is an error, and nothing is written past
 * the buffer. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { MARGIN = 64, CANARY = 0xA5, NONE = 99 };

static const char SECRET[] = "the current secret: 32 random bytes";
static const int64_t NOW = 1760000000;

static apikee_keyring keyring;
static char key[1024];
static size_t key_len;
static uint8_t key_buf[1024];
static apikee_claims claims;

static const apikee_new_key NEW_KEY = {APIKEE_TEXT("acme-corp"), NULL, 0, {NULL, 0},
                                       APIKEE_TEXT("{\"plan\":\"p\\u0072o \\\"plus\\\"\"}"), 0, 0, 0, 0};

static int fill(void *context, uint8_t *out, size_t len) {
  (void)context;
  memset(out, 0x42, len);
  return 0;
}

/* An operation on a buffer. `len` receives the length that it returns, or stays NONE. */
typedef apikee_error operation(void *buf, size_t buf_len, size_t *len);

static apikee_error verify(void *buf, size_t buf_len, size_t *len) {
  (void)len;
  apikee_claims own;
  return apikee_verify(&keyring, key, key_len, NOW, buf, buf_len, &own);
}

static apikee_error issue(void *buf, size_t buf_len, size_t *len) {
  return apikee_issue(&keyring, &NEW_KEY, NOW * 1000, fill, NULL, buf, buf_len, len);
}

static apikee_error meta_str(void *buf, size_t buf_len, size_t *len) {
  return apikee_claims_get_meta_str(&claims, "plan", 4, buf, buf_len, len);
}

#ifdef APIKEE_ENVELOPE
static apikee_server_key server;

static const apikee_header HEADERS[] = {{APIKEE_TEXT("User-Agent"), APIKEE_TEXT("caf\303\251")}};
static const apikee_validate_request REQUEST = {APIKEE_TEXT("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
                                                APIKEE_TEXT("my-app"), APIKEE_TEXT("get"), APIKEE_TEXT("/\001"),
                                                {NULL, 0}, HEADERS, 1, {NULL, 0}, 1760000000000, 0};

static apikee_error seal(void *buf, size_t buf_len, size_t *len) {
  apikee_session session;
  apikee_pending pending;
  CHECK(apikee_session_establish(&session, &server, fill, NULL) == APIKEE_ERROR_OK);
  apikee_error error = apikee_session_seal(&session, "{\"a\":1}", 7, fill, NULL, buf, buf_len, len, &pending);
  if (error == APIKEE_ERROR_BUFFER_TOO_SMALL) {
    /* This error does not use up the session. */
    uint8_t large[APIKEE_SEALED_LEN(7)];
    size_t sealed;
    CHECK(apikee_session_seal(&session, "{\"a\":1}", 7, fill, NULL, large, sizeof large, &sealed, &pending) ==
          APIKEE_ERROR_OK);
  }
  return error;
}

static apikee_error target(void *buf, size_t buf_len, size_t *len) {
  return apikee_write_validate_target(&REQUEST, buf, buf_len, len);
}

static apikee_error body(void *buf, size_t buf_len, size_t *len) {
  return apikee_write_validate_body(&REQUEST, buf, buf_len, len);
}
#endif

static void check_result(apikee_error error, apikee_error too_small, size_t size, size_t needed, size_t len) {
  CHECK(error == (size < needed ? too_small : APIKEE_ERROR_OK));
  if (len != NONE && size < needed) CHECK(len == needed);
}

/* Runs the operation in a block of exactly this size, for valgrind, and between canaries at each alignment. */
static void check_sizes(operation *run, apikee_error too_small, size_t needed) {
  for (size_t size = 0; size < needed + 3; size++) {
    size_t len = NONE;
    uint8_t *exact = (uint8_t *)malloc(size);
    apikee_error error = run(exact, size, &len);
    check_result(error, too_small, size, needed, len);
    free(exact);

    uint8_t *block = (uint8_t *)malloc(size + 2 * MARGIN + 8);
    uint8_t *start = block + MARGIN + size % 8;
    memset(block, CANARY, size + 2 * MARGIN + 8);
    len = NONE;
    CHECK(run(start, size, &len) == error);
    for (uint8_t *at = block; at < start; at++) CHECK(*at == CANARY);
    for (uint8_t *at = start + size; at < block + size + 2 * MARGIN + 8; at++) CHECK(*at == CANARY);
    free(block);
  }
  size_t len = NONE;
  CHECK(run(NULL, 0, &len) == too_small);
}

/* The length that the operation needs, according to its error. */
static size_t needed_by(operation *run) {
  size_t len = 0;
  CHECK(run(NULL, 0, &len) == APIKEE_ERROR_BUFFER_TOO_SMALL && len > 0);
  return len;
}

static void the_macros_match_the_functions(void) {
  for (size_t len = 0; len < 20000; len++) {
    size_t enough = apikee_verify_buffer_len(len);
    CHECK(APIKEE_VERIFY_BUFFER_LEN(len) >= enough && APIKEE_VERIFY_BUFFER_LEN(len) <= enough + 24);
    CHECK(APIKEE_ISSUE_BUFFER_LEN(len) == apikee_issue_buffer_len(len));
#ifdef APIKEE_ENVELOPE
    CHECK(APIKEE_SEALED_LEN(len) == apikee_sealed_len(len));
#endif
  }
}

void test_buffers(void) {
  the_macros_match_the_functions();
  CHECK(apikee_keyring_init(&keyring, SECRET, sizeof SECRET - 1) == APIKEE_ERROR_OK);
  CHECK(issue(key, sizeof key, &key_len) == APIKEE_ERROR_OK);
  CHECK(apikee_verify(&keyring, key, key_len, NOW, key_buf, sizeof key_buf, &claims) == APIKEE_ERROR_OK);

  check_sizes(issue, APIKEE_ERROR_BUFFER_TOO_SMALL, needed_by(issue));
  check_sizes(meta_str, APIKEE_ERROR_BUFFER_TOO_SMALL, sizeof "pro \"plus\"" - 1);
  /* A key needs a little less than `apikee_verify_buffer_len`. Finds the exact size. */
  size_t needed = 0;
  while (verify(key_buf, needed, NULL) == APIKEE_ERROR_KEY_TOO_LONG) needed++;
  CHECK(needed > 0 && needed <= apikee_verify_buffer_len(key_len));
  check_sizes(verify, APIKEE_ERROR_KEY_TOO_LONG, needed);
#ifdef APIKEE_ENVELOPE
  static const char PUBLIC[] = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";
  CHECK(apikee_server_key_init(&server, PUBLIC, sizeof PUBLIC - 1) == APIKEE_ERROR_OK);
  check_sizes(seal, APIKEE_ERROR_BUFFER_TOO_SMALL, APIKEE_SEALED_LEN(7));
  check_sizes(target, APIKEE_ERROR_BUFFER_TOO_SMALL, needed_by(target));
  check_sizes(body, APIKEE_ERROR_BUFFER_TOO_SMALL, needed_by(body));
#endif
}
