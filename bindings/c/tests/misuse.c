/* Null, misaligned and overlapping pointers, and impossible lengths: each is an error, without an access. */
#include <string.h>

#include "check.h"

static const int64_t NOW = 1760000000;

static apikee_keyring keyring;
static apikee_claims claims;
static apikee_text text;
static size_t len;
static char key[512];
static size_t key_len;
static uint8_t buf[512];
static const apikee_new_key NEW_KEY = {APIKEE_TEXT("acme"), NULL, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0};

static int fill(void *context, uint8_t *out, size_t size) {
  (void)context;
  memset(out, 0x42, size);
  return 0;
}

#define IS_NULL(call) CHECK((call) == APIKEE_ERROR_NULL_POINTER)
#define IS_MISALIGNED(call) CHECK((call) == APIKEE_ERROR_MISALIGNED)
#define OVERLAPS(call) CHECK((call) == APIKEE_ERROR_OVERLAP)

/* A pointer one byte after an aligned one. */
#define OFF(type, place) ((type *)(void *)((char *)(void *)(place) + 1))

static apikee_error verify(const apikee_keyring *ring, const void *text_of, size_t size, void *to, size_t room,
                           apikee_claims *out) {
  return apikee_verify(ring, text_of, size, NOW, to, room, out);
}

static apikee_error issue(const apikee_keyring *ring, const apikee_new_key *new_key, void *to, size_t room,
                          size_t *size) {
  return apikee_issue(ring, new_key, NOW * 1000, fill, NULL, to, room, size);
}

static void ready(void) {
  CHECK(apikee_keyring_init(&keyring, "secret", 6) == APIKEE_ERROR_OK);
  CHECK(issue(&keyring, &NEW_KEY, key, sizeof key, &key_len) == APIKEE_ERROR_OK);
  CHECK(verify(&keyring, key, key_len, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
}

static void null_pointers(void) {
  int64_t number;
  uint32_t encoding;
  bool truth;
  uint8_t fingerprint[APIKEE_FINGERPRINT_LEN];
  ready();
  IS_NULL(apikee_keyring_init(NULL, "s", 1));
  IS_NULL(apikee_keyring_init(&keyring, NULL, 1));
  ready();
  IS_NULL(apikee_keyring_accept(NULL, "s", 1));
  IS_NULL(apikee_keyring_accept(&keyring, NULL, 1));
  IS_NULL(apikee_keyring_set_leeway(NULL, 1));
  IS_NULL(issue(NULL, &NEW_KEY, key, sizeof key, &len));
  IS_NULL(issue(&keyring, NULL, key, sizeof key, &len));
  IS_NULL(issue(&keyring, &NEW_KEY, NULL, 1, &len));
  IS_NULL(issue(&keyring, &NEW_KEY, key, sizeof key, NULL));
  apikee_new_key wrong = NEW_KEY;
  wrong.tenant.ptr = NULL;
  IS_NULL(issue(&keyring, &wrong, key, sizeof key, &len));
  wrong = NEW_KEY;
  wrong.scope_count = 1;
  IS_NULL(issue(&keyring, &wrong, key, sizeof key, &len));

  ready();
  IS_NULL(apikee_claims_get_tenant(NULL, &text));
  IS_NULL(apikee_claims_get_tenant(&claims, NULL));
  IS_NULL(apikee_claims_get_id(NULL, &text));
  IS_NULL(apikee_claims_get_id(&claims, NULL));
  IS_NULL(apikee_claims_get_environment(NULL, &text));
  IS_NULL(apikee_claims_get_environment(&claims, NULL));
  IS_NULL(apikee_claims_get_expires_at(NULL, &number));
  IS_NULL(apikee_claims_get_expires_at(&claims, NULL));
  IS_NULL(apikee_claims_get_not_before(NULL, &number));
  IS_NULL(apikee_claims_get_not_before(&claims, NULL));
  IS_NULL(apikee_claims_get_secret_index(NULL, &len));
  IS_NULL(apikee_claims_get_secret_index(&claims, NULL));
  IS_NULL(apikee_claims_get_scope(NULL, 0, &text));
  IS_NULL(apikee_claims_get_scope(&claims, 0, NULL));
  CHECK(!apikee_claims_has_scope(NULL, "s", 1));
  CHECK(!apikee_claims_has_scope(&claims, NULL, 1));
  IS_NULL(apikee_claims_require_scope(NULL, "s", 1));
  IS_NULL(apikee_claims_require_scope(&claims, NULL, 1));
  IS_NULL(apikee_claims_require_scopes(NULL, NULL, 0, NULL));
  IS_NULL(apikee_claims_require_scopes(&claims, NULL, 1, NULL));
  IS_NULL(apikee_claims_get_meta(NULL, &text, &encoding));
  IS_NULL(apikee_claims_get_meta(&claims, NULL, &encoding));
  IS_NULL(apikee_claims_get_meta(&claims, &text, NULL));
  IS_NULL(apikee_claims_get_meta_str(NULL, "n", 1, key, 1, &len));
  IS_NULL(apikee_claims_get_meta_str(&claims, NULL, 1, key, 1, &len));
  IS_NULL(apikee_claims_get_meta_str(&claims, "n", 1, key, 1, NULL));
  IS_NULL(apikee_claims_get_meta_int(NULL, "n", 1, &number));
  IS_NULL(apikee_claims_get_meta_int(&claims, NULL, 1, &number));
  IS_NULL(apikee_claims_get_meta_int(&claims, "n", 1, NULL));
  IS_NULL(apikee_claims_get_meta_bool(NULL, "n", 1, &truth));
  IS_NULL(apikee_claims_get_meta_bool(&claims, NULL, 1, &truth));
  IS_NULL(apikee_claims_get_meta_bool(&claims, "n", 1, NULL));
  IS_NULL(verify(NULL, key, key_len, buf, sizeof buf, &claims));
  IS_NULL(verify(&keyring, NULL, 1, buf, sizeof buf, &claims));
  IS_NULL(verify(&keyring, key, key_len, NULL, sizeof buf, &claims));
  IS_NULL(verify(&keyring, key, key_len, buf, sizeof buf, NULL));
  IS_NULL(apikee_get_fingerprint(NULL, 1, &fingerprint));
  IS_NULL(apikee_get_fingerprint("k", 1, NULL));
  IS_NULL(apikee_get_log_prefix(NULL, 1, &text));
  IS_NULL(apikee_get_log_prefix("k", 1, NULL));
}

static void empty_arguments(void) {
  ready();
  CHECK(verify(&keyring, NULL, 0, buf, sizeof buf, &claims) == APIKEE_ERROR_MISSING_KEY);
  CHECK(verify(&keyring, "", 0, buf, sizeof buf, &claims) == APIKEE_ERROR_INVALID_PREFIX);
  CHECK(verify(&keyring, key, key_len, NULL, 0, &claims) == APIKEE_ERROR_KEY_TOO_LONG);
  CHECK(apikee_get_log_prefix(NULL, 0, &text) == APIKEE_ERROR_OK && text.ptr == NULL && text.len == 0);
  uint8_t fingerprint[APIKEE_FINGERPRINT_LEN];
  CHECK(apikee_get_fingerprint(NULL, 0, &fingerprint) == APIKEE_ERROR_MISSING_KEY && fingerprint[0] == 0);
  CHECK(apikee_get_fingerprint("", 0, &fingerprint) == APIKEE_ERROR_OK && fingerprint[0] == 0xE3);
  ready();
  CHECK(!apikee_claims_has_scope(&claims, NULL, 0));
  CHECK(apikee_claims_require_scope(&claims, NULL, 0) == APIKEE_ERROR_INSUFFICIENT_SCOPE);
  apikee_keyring_wipe(NULL);
  CHECK(apikee_claims_require_scopes(&claims, NULL, 0, NULL) == APIKEE_ERROR_OK);
}

static void misaligned_pointers(void) {
  static uint64_t room[APIKEE_KEYRING_SIZE / 8 + 1];
  memset(room, 0xEE, sizeof room);
  ready();
  IS_MISALIGNED(apikee_keyring_init(OFF(apikee_keyring, room), "s", 1));
  IS_MISALIGNED(apikee_keyring_set_leeway(OFF(apikee_keyring, room), 1));
  IS_MISALIGNED(verify(OFF(apikee_keyring, room), key, key_len, buf, sizeof buf, &claims));
  IS_MISALIGNED(verify(&keyring, key, key_len, buf, sizeof buf, OFF(apikee_claims, room)));
  IS_MISALIGNED(issue(&keyring, OFF(apikee_new_key, room), key, sizeof key, &len));
  IS_MISALIGNED(issue(&keyring, &NEW_KEY, key, sizeof key, OFF(size_t, room)));
  ready();
  IS_MISALIGNED(apikee_claims_get_tenant(&claims, OFF(apikee_text, room)));
  IS_MISALIGNED(apikee_claims_get_tenant(OFF(apikee_claims, room), &text));
  IS_MISALIGNED(apikee_claims_get_expires_at(&claims, OFF(int64_t, room)));
  IS_MISALIGNED(apikee_claims_require_scopes(&claims, OFF(apikee_text, room), 1, NULL));
  IS_MISALIGNED(apikee_claims_require_scopes(&claims, NULL, 0, OFF(size_t, room)));
  CHECK(!apikee_claims_has_scope(OFF(apikee_claims, room), "s", 1));
  IS_MISALIGNED(apikee_claims_require_scope(OFF(apikee_claims, room), "s", 1));
  for (size_t at = 0; at < sizeof room; at++) CHECK(((uint8_t *)room)[at] == 0xEE);
  /* A secret is wiped even if it is misaligned. */
  apikee_keyring_wipe(OFF(apikee_keyring, room));
  for (size_t at = 0; at < sizeof room; at++)
    CHECK(((uint8_t *)room)[at] == (at < 1 || at > APIKEE_KEYRING_SIZE ? 0xEE : 0));
}

static void the_output_overlaps_an_input(void) {
  union {
    apikee_keyring keyring;
    apikee_claims claims;
    apikee_new_key new_key;
    apikee_text text;
    size_t len;
    char bytes[APIKEE_KEYRING_SIZE + 600];
  } both;
  memset(&both, 0, sizeof both);
  ready();
  memcpy(both.bytes + 100, key, key_len);
  /* The key is in the buffer: at its end, then at its start. */
  OVERLAPS(verify(&keyring, both.bytes + 100, key_len, both.bytes, 101, &claims));
  OVERLAPS(verify(&keyring, both.bytes + 100, key_len, both.bytes + 100 + key_len - 1, 400, &claims));
  CHECK(verify(&keyring, both.bytes + 100, key_len, both.bytes + 100 + key_len, 400, &claims) == APIKEE_ERROR_OK);
  OVERLAPS(verify(&keyring, key, key_len, both.bytes, sizeof both.bytes, &both.claims));
  OVERLAPS(verify(&both.keyring, key, key_len, buf, sizeof buf, &both.claims));
  /* An input is unchanged, but claims of an earlier key are wiped. */
  CHECK(apikee_keyring_init(&both.keyring, "secret", 6) == APIKEE_ERROR_OK);
  OVERLAPS(verify(&both.keyring, key, key_len, buf, sizeof buf, &both.claims));
  CHECK(verify(&both.keyring, key, key_len, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
  OVERLAPS(verify(&keyring, key, key_len, key, sizeof key, &claims));
  CHECK(apikee_claims_get_tenant(&claims, &text) == APIKEE_ERROR_NOT_INITIALISED);
  OVERLAPS(apikee_keyring_init(&both.keyring, both.bytes + APIKEE_KEYRING_SIZE - 1, 6));
  CHECK(apikee_keyring_init(&both.keyring, both.bytes + APIKEE_KEYRING_SIZE, 6) == APIKEE_ERROR_OK);
  OVERLAPS(apikee_keyring_accept(&both.keyring, both.bytes + 10, 6));
  OVERLAPS(issue(&both.keyring, &NEW_KEY, both.bytes + 8, 500, &len));
  OVERLAPS(issue(&keyring, &NEW_KEY, both.bytes, 500, &both.len));

  /* From now on, the memory is used as text. */
  memset(&both, 'x', sizeof both);
  apikee_new_key new_key = NEW_KEY;
  new_key.tenant.ptr = both.bytes + 499;
  OVERLAPS(issue(&keyring, &new_key, both.bytes, 500, &len));
  new_key.tenant.ptr = both.bytes + 500;
  CHECK(issue(&keyring, &new_key, both.bytes, 500, &len) == APIKEE_ERROR_OK);
  apikee_text scope = {both.bytes + 20, 4};
  new_key.scopes = &scope;
  new_key.scope_count = 1;
  OVERLAPS(issue(&keyring, &new_key, both.bytes, 500, &len));
  new_key.scopes = &both.text;
  OVERLAPS(issue(&keyring, &new_key, both.bytes, 500, &len));

  ready();
  memcpy(&both.claims, &claims, sizeof claims);
  OVERLAPS(apikee_claims_get_tenant(&both.claims, &both.text));
  OVERLAPS(apikee_claims_get_meta_str(&claims, "n", 1, both.bytes, 500, &both.len));
  OVERLAPS(apikee_get_log_prefix(both.bytes, 20, &both.text));
  OVERLAPS(apikee_get_fingerprint(both.bytes, 20, (uint8_t (*)[APIKEE_FINGERPRINT_LEN])(void *)both.bytes));
  OVERLAPS(apikee_claims_require_scopes(&claims, &both.text, 1, &both.len));
  apikee_text inside = {(const char *)&len, 1};
  OVERLAPS(apikee_claims_require_scopes(&claims, &inside, 1, &len));

  int64_t number = 0;
  uint32_t encoding;
  memset(&both, 'x', sizeof both);
  new_key = NEW_KEY;
  new_key.meta.ptr = "{\"n\":\"v\",\"i\":7}";
  new_key.meta.len = 15;
  CHECK(issue(&keyring, &new_key, key, sizeof key, &key_len) == APIKEE_ERROR_OK);
  CHECK(verify(&keyring, key, key_len, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
  OVERLAPS(apikee_claims_get_meta_str(&claims, "n", 1, buf, sizeof buf, &len));
  OVERLAPS(apikee_claims_get_meta_int(&claims, (const char *)&number, 1, &number));
  OVERLAPS(apikee_claims_get_meta_bool(&claims, (const char *)&number, 1, (bool *)(void *)&number));
  memcpy(&both.claims, &claims, sizeof claims);
  OVERLAPS(apikee_claims_get_meta(&both.claims, &both.text, &encoding));
}

static void impossible_lengths(void) {
  const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX - 4096};
  for (size_t at = 0; at < LENGTH(lengths); at++) {
    ready();
    /* The overlap may be found before the length is found to be too large. */
    apikee_error error = verify(&keyring, key, lengths[at], buf, sizeof buf, &claims);
    CHECK(error == APIKEE_ERROR_INVALID_LENGTH || error == APIKEE_ERROR_OVERLAP);
    error = verify(&keyring, key, key_len, buf, lengths[at], &claims);
    CHECK(error == APIKEE_ERROR_INVALID_LENGTH || error == APIKEE_ERROR_OVERLAP);
    ready();
    CHECK(!apikee_claims_has_scope(&claims, "s", lengths[at]));
    CHECK(apikee_claims_require_scope(&claims, "s", lengths[at]) == APIKEE_ERROR_INVALID_LENGTH);
    error = apikee_claims_require_scopes(&claims, &text, lengths[at], NULL);
    CHECK(error == APIKEE_ERROR_INVALID_LENGTH);
    CHECK(apikee_get_log_prefix("k", lengths[at], &text) != APIKEE_ERROR_OK);
  }
}

#ifdef APIKEE_ENVELOPE
static void server_mode(void) {
  static const char PUBLIC[] = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";
  static uint64_t room[64];
  apikee_server_key server;
  apikee_session session;
  apikee_pending pending;
  apikee_answer answer;
  uint8_t sealed[APIKEE_SEALED_LEN(2)];
  IS_NULL(apikee_server_key_init(NULL, PUBLIC, 64));
  IS_NULL(apikee_server_key_init(&server, NULL, 64));
  CHECK(apikee_server_key_init(&server, PUBLIC, 64) == APIKEE_ERROR_OK);
  IS_NULL(apikee_session_establish(NULL, &server, fill, NULL));
  IS_NULL(apikee_session_establish(&session, NULL, fill, NULL));
  IS_NULL(apikee_session_establish(&session, &server, NULL, NULL));
  CHECK(apikee_session_establish(&session, &server, fill, NULL) == APIKEE_ERROR_OK);
  IS_NULL(apikee_session_seal(NULL, "{}", 2, fill, NULL, sealed, sizeof sealed, &len, &pending));
  IS_NULL(apikee_session_seal(&session, NULL, 2, fill, NULL, sealed, sizeof sealed, &len, &pending));
  IS_NULL(apikee_session_seal(&session, "{}", 2, NULL, NULL, sealed, sizeof sealed, &len, &pending));
  IS_NULL(apikee_session_seal(&session, "{}", 2, fill, NULL, NULL, sizeof sealed, &len, &pending));
  IS_NULL(apikee_session_seal(&session, "{}", 2, fill, NULL, sealed, sizeof sealed, NULL, &pending));
  IS_NULL(apikee_session_seal(&session, "{}", 2, fill, NULL, sealed, sizeof sealed, &len, NULL));
  IS_MISALIGNED(apikee_session_establish(OFF(apikee_session, room), &server, fill, NULL));
  IS_MISALIGNED(
      apikee_session_seal(&session, "{}", 2, fill, NULL, sealed, sizeof sealed, &len, OFF(apikee_pending, room)));
  OVERLAPS(apikee_session_seal(&session, sealed, 2, fill, NULL, sealed, sizeof sealed, &len, &pending));
  OVERLAPS(apikee_session_seal(&session, "{}", 2, fill, NULL, &session, sizeof session, &len, &pending));
  /* The errors above have not used up the session. */
  CHECK(apikee_session_seal(&session, "{}", 2, fill, NULL, sealed, sizeof sealed, &len, &pending) ==
        APIKEE_ERROR_OK);
  IS_NULL(apikee_pending_open(NULL, sealed, len, &text));
  IS_NULL(apikee_pending_open(&pending, NULL, len, &text));
  IS_NULL(apikee_pending_open(&pending, sealed, len, NULL));
  const apikee_validate_request request = {APIKEE_TEXT("497f6eca-6276-4993-bfeb-53cbbbba6f08"), APIKEE_TEXT("p"),
                                           APIKEE_TEXT("GET"), APIKEE_TEXT("/"), {NULL, 0}, NULL, 0, {NULL, 0}, 0, 0};
  apikee_validate_request wrong = request;
  IS_NULL(apikee_pending_require_success(NULL, &request, sealed, len, &answer));
  IS_NULL(apikee_pending_require_success(&pending, NULL, sealed, len, &answer));
  IS_NULL(apikee_pending_require_success(&pending, &request, NULL, len, &answer));
  IS_NULL(apikee_pending_require_success(&pending, &request, sealed, len, NULL));
  wrong.client_id.ptr = (const char *)sealed;
  OVERLAPS(apikee_pending_require_success(&pending, &wrong, sealed, len, &answer));
  wrong.client_id.ptr = NULL;
  IS_NULL(apikee_pending_require_success(&pending, &wrong, sealed, len, &answer));
  wrong = request;
  wrong.client_id.len--;
  CHECK(apikee_pending_require_success(&pending, &wrong, sealed, len, &answer) == APIKEE_ERROR_INVALID_CLIENT_ID);
  OVERLAPS(apikee_pending_open(&pending, &pending, 8, &text));
  OVERLAPS(apikee_pending_require_success(&pending, &request, sealed, len, (apikee_answer *)(void *)&pending));
  CHECK(apikee_pending_open(&pending, NULL, 0, &text) == APIKEE_ERROR_ENVELOPE_MALFORMED);
  IS_NULL(apikee_unsealed_require_success(NULL, sealed, 1, &answer));
  IS_NULL(apikee_unsealed_require_success(&request, NULL, 1, &answer));
  IS_NULL(apikee_unsealed_require_success(&request, sealed, 1, NULL));
  CHECK(apikee_unsealed_require_success(&request, NULL, 0, &answer) == APIKEE_ERROR_ANSWER_MALFORMED);
  apikee_session_wipe(NULL);
  apikee_pending_wipe(NULL);

  IS_NULL(apikee_write_validate_target(NULL, buf, sizeof buf, &len));
  IS_NULL(apikee_write_validate_target(&request, NULL, sizeof buf, &len));
  IS_NULL(apikee_write_validate_target(&request, buf, sizeof buf, NULL));
  IS_NULL(apikee_write_validate_body(NULL, buf, sizeof buf, &len));
  wrong = request;
  wrong.header_count = 1;
  IS_NULL(apikee_write_validate_body(&wrong, buf, sizeof buf, &len));
  wrong = request;
  wrong.path.ptr = (const char *)buf;
  OVERLAPS(apikee_write_validate_body(&wrong, buf, sizeof buf, &len));
  const apikee_text in_buf = {(const char *)buf, 1};
  wrong = request;
  wrong.key_name = in_buf;
  OVERLAPS(apikee_write_validate_body(&wrong, buf, sizeof buf, &len));
  wrong = request;
  wrong.payload = in_buf;
  OVERLAPS(apikee_write_validate_body(&wrong, buf, sizeof buf, &len));
  apikee_header header = {in_buf, {NULL, 0}};
  wrong = request;
  wrong.headers = &header;
  wrong.header_count = 1;
  OVERLAPS(apikee_write_validate_body(&wrong, buf, sizeof buf, &len));
  header.name = request.method;
  header.value = in_buf;
  OVERLAPS(apikee_write_validate_body(&wrong, buf, sizeof buf, &len));
  OVERLAPS(apikee_write_validate_body(&wrong, &header, sizeof header, &len));
  OVERLAPS(apikee_unsealed_require_success(&request, &answer, sizeof answer, &answer));
  OVERLAPS(apikee_server_key_init(&server, &server, 64));
  OVERLAPS(apikee_session_establish((apikee_session *)(void *)room, (const apikee_server_key *)(void *)room, fill, NULL));
}
#endif

void test_misuse(void) {
  null_pointers();
  empty_arguments();
  misaligned_pointers();
  the_output_overlaps_an_input();
  impossible_lengths();
#ifdef APIKEE_ENVELOPE
  server_mode();
#endif
}
