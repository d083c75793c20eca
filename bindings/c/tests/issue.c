/* New keys, fingerprints, prefixes for logs, and the codes. */
#include "check.h"

static const int64_t NOW = 1760000000;

static const char SECRET[] = "the current secret: 32 random bytes";

static uint8_t buf[2048], room[2048];

/* A generator that counts up. The context is the next number. */
static int count_up(void *context, uint8_t *out, size_t len) {
  uint8_t *next = (uint8_t *)context;
  for (size_t at = 0; at < len; at++) out[at] = (*next)++;
  return 0;
}

static int fail(void *context, uint8_t *out, size_t len) {
  (void)context;
  for (size_t at = 0; at < len; at++) out[at] = 7;
  return 1;
}

static int forget(void *context, uint8_t *out, size_t len) {
  (void)context, (void)out, (void)len;
  return 0;
}

static apikee_error issue(const apikee_new_key *new_key, size_t *len) {
  apikee_keyring keyring;
  uint8_t next = 1;
  CHECK(apikee_keyring_init(&keyring, SECRET, sizeof SECRET - 1) == APIKEE_ERROR_OK);
  return apikee_issue(&keyring, new_key, NOW * 1000 + 17, count_up, &next, buf, sizeof buf, len);
}

static apikee_error verify(size_t len, int64_t now, apikee_claims *claims) {
  apikee_keyring keyring;
  CHECK(apikee_keyring_init(&keyring, "another", 7) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_accept(&keyring, SECRET, sizeof SECRET - 1) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_set_leeway(&keyring, 10) == APIKEE_ERROR_OK);
  return apikee_verify(&keyring, buf, len, now, room, sizeof room, claims);
}

static void an_issued_key_verifies(void) {
  const apikee_text scopes[] = {APIKEE_TEXT("read"), APIKEE_TEXT("write")};
  apikee_new_key new_key = {APIKEE_TEXT("acme-corp"), scopes, 2, APIKEE_TEXT("staging"), APIKEE_TEXT("{\"n\": -5, \"t\": true}"),
                            APIKEE_EXPIRY_AFTER, true, 60, NOW + 20};
  size_t len;
  CHECK(issue(&new_key, &len) == APIKEE_ERROR_OK);
  apikee_claims claims;
  CHECK(verify(len, NOW + 9, &claims) == APIKEE_ERROR_NOT_YET_VALID);
  CHECK(verify(len, NOW + 10, &claims) == APIKEE_ERROR_OK);
  CHECK(verify(len, NOW + 71, &claims) == APIKEE_ERROR_EXPIRED);
  CHECK(verify(len, NOW + 70, &claims) == APIKEE_ERROR_OK);

  apikee_text text;
  CHECK(apikee_claims_get_tenant(&claims, &text) == APIKEE_ERROR_OK && is_text(text, "acme-corp"));
  CHECK(apikee_claims_get_environment(&claims, &text) == APIKEE_ERROR_OK && is_text(text, "staging"));
  CHECK(apikee_claims_get_id(&claims, &text) == APIKEE_ERROR_OK && text.len == 21);
  int64_t number;
  CHECK(apikee_claims_get_not_before(&claims, &number) == APIKEE_ERROR_OK && number == NOW + 20);
  CHECK(apikee_claims_get_expires_at(&claims, &number) == APIKEE_ERROR_OK && number == NOW + 60);
  CHECK(apikee_claims_get_meta_int(&claims, "n", 1, &number) == APIKEE_ERROR_OK && number == -5);
  bool truth = false;
  CHECK(apikee_claims_get_meta_bool(&claims, "t", 1, &truth) == APIKEE_ERROR_OK && truth);
  CHECK(apikee_claims_require_scopes(&claims, scopes, 2, NULL) == APIKEE_ERROR_OK);
  CHECK(apikee_claims_has_scope(&claims, "read", 4) && !apikee_claims_has_scope(&claims, "rea", 3));
  CHECK(apikee_claims_require_scope(&claims, "write", 5) == APIKEE_ERROR_OK);
  CHECK(apikee_claims_require_scope(&claims, "writ", 4) == APIKEE_ERROR_INSUFFICIENT_SCOPE);
  size_t index;
  CHECK(apikee_claims_get_secret_index(&claims, &index) == APIKEE_ERROR_OK && index == 1);
}

static void zeros_mean_a_key_of_ninety_days(void) {
  apikee_new_key new_key = {{NULL, 0}, NULL, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0};
  size_t len;
  apikee_claims claims;
  apikee_text text;
  int64_t number;
  CHECK(issue(&new_key, &len) == APIKEE_ERROR_OK && verify(len, NOW, &claims) == APIKEE_ERROR_OK);
  CHECK(apikee_claims_get_environment(&claims, &text) == APIKEE_ERROR_OK && is_text(text, "production"));
  CHECK(apikee_claims_get_expires_at(&claims, &number) == APIKEE_ERROR_OK && number == NOW + 90 * 86400);
  new_key.expiry = APIKEE_EXPIRY_NEVER;
  CHECK(issue(&new_key, &len) == APIKEE_ERROR_OK && verify(len, INT64_MAX, &claims) == APIKEE_ERROR_OK);
  new_key.expiry = APIKEE_EXPIRY_AT;
  new_key.expiry_seconds = NOW + 1;
  CHECK(issue(&new_key, &len) == APIKEE_ERROR_OK && verify(len, NOW, &claims) == APIKEE_ERROR_OK);
  CHECK(apikee_claims_get_expires_at(&claims, &number) == APIKEE_ERROR_OK && number == NOW + 1);
}

static void invalid_claims_are_not_issued(void) {
  const apikee_new_key good = {APIKEE_TEXT("t"), NULL, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0};
  apikee_new_key wrong = good;
  size_t len;
  wrong.expiry = 4;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_TIME_OUT_OF_RANGE && len == 0);
  wrong.expiry = APIKEE_EXPIRY_AFTER;
  wrong.expiry_seconds = -1;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_TIME_OUT_OF_RANGE);
  wrong.expiry_seconds = INT64_MAX;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_TIME_OUT_OF_RANGE);
  wrong = good;
  wrong.meta.ptr = "[]";
  wrong.meta.len = 2;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_INVALID_JSON);
  wrong = good;
  wrong.tenant.ptr = "\377";
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_INVALID_UTF8);

  static apikee_text scopes[APIKEE_MAX_SCOPES + 1];
  wrong = good;
  wrong.scopes = scopes;
  wrong.scope_count = APIKEE_MAX_SCOPES + 1;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_TOO_MANY);
  wrong.scope_count--;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_OK);

  static char tenant[9000];
  for (size_t at = 0; at < sizeof tenant; at++) tenant[at] = 't';
  wrong = good;
  wrong.tenant.ptr = tenant;
  wrong.tenant.len = sizeof tenant;
  CHECK(issue(&wrong, &len) == APIKEE_ERROR_CLAIMS_TOO_LONG);

  apikee_keyring keyring;
  CHECK(apikee_keyring_init(&keyring, SECRET, sizeof SECRET - 1) == APIKEE_ERROR_OK);
  apikee_error error = apikee_issue(&keyring, &good, 0, fail, NULL, buf, sizeof buf, &len);
  CHECK(error == APIKEE_ERROR_RANDOM_FAILED && len == 0);
  CHECK(apikee_issue(&keyring, &good, 0, forget, NULL, buf, sizeof buf, &len) == APIKEE_ERROR_RANDOM_FAILED);
  CHECK(apikee_issue(&keyring, &good, 0, NULL, NULL, buf, sizeof buf, &len) == APIKEE_ERROR_NULL_POINTER);
}

static void a_keyring_holds_eight_secrets_but_no_empty_one(void) {
  apikee_keyring keyring;
  CHECK(apikee_keyring_init(&keyring, "", 0) == APIKEE_ERROR_EMPTY_SECRET);
  CHECK(apikee_keyring_accept(&keyring, "b", 1) == APIKEE_ERROR_NOT_INITIALISED);
  CHECK(apikee_keyring_init(&keyring, "a", 1) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_accept(&keyring, NULL, 0) == APIKEE_ERROR_EMPTY_SECRET);
  for (int at = 1; at < APIKEE_MAX_SECRETS; at++) CHECK(apikee_keyring_accept(&keyring, "b", 1) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_accept(&keyring, "b", 1) == APIKEE_ERROR_KEYRING_FULL);
}

static void a_leeway_of_more_than_a_day_is_an_error(void) {
  apikee_keyring keyring;
  CHECK(apikee_keyring_init(&keyring, SECRET, sizeof SECRET - 1) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_set_leeway(&keyring, 0) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_set_leeway(&keyring, APIKEE_MAX_LEEWAY) == APIKEE_ERROR_OK);
  CHECK(apikee_keyring_set_leeway(&keyring, APIKEE_MAX_LEEWAY + 1) == APIKEE_ERROR_TIME_OUT_OF_RANGE);
  int minute_less = -60;
  CHECK(apikee_keyring_set_leeway(&keyring, (uint64_t)minute_less) == APIKEE_ERROR_TIME_OUT_OF_RANGE);
}

static void fingerprints_and_prefixes_do_not_reveal_the_key(void) {
  /* FIPS 180-4, the one-block example. */
  static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  uint8_t fingerprint[APIKEE_FINGERPRINT_LEN];
  CHECK(apikee_get_fingerprint("abc", 3, &fingerprint) == APIKEE_ERROR_OK);
  CHECK(same_bytes(fingerprint, abc, sizeof abc));
  CHECK(apikee_get_fingerprint("\300", 1, &fingerprint) == APIKEE_ERROR_INVALID_UTF8);
  for (size_t at = 0; at < sizeof fingerprint; at++) CHECK(fingerprint[at] == 0);

  apikee_text prefix;
  CHECK(apikee_get_log_prefix("apikee_123456789", 16, &prefix) == APIKEE_ERROR_OK && is_text(prefix, "apikee_12345"));
  CHECK(apikee_get_log_prefix("short", 5, &prefix) == APIKEE_ERROR_OK && is_text(prefix, "short"));
  CHECK(apikee_get_log_prefix("apikee_1234\303\251", 13, &prefix) == APIKEE_ERROR_OK && is_text(prefix, "apikee_1234"));
  CHECK(apikee_get_log_prefix("ab\377cd", 5, &prefix) == APIKEE_ERROR_OK && is_text(prefix, "ab"));
}

static bool code_is(int32_t error, const char *code) {
  apikee_text text = {apikee_error_code(error), 0};
  while (text.ptr[text.len] != 0) text.len++;
  return is_text(text, code);
}

static void each_code_has_its_text(void) {
  CHECK(code_is(APIKEE_ERROR_OK, "OK") && code_is(APIKEE_ERROR_EXPIRED, "EXPIRED"));
  CHECK(code_is(APIKEE_ERROR_DECODE, "DECODE_ERROR") && code_is(APIKEE_ERROR_KEY_TOO_LONG, "DECODE_ERROR"));
  CHECK(code_is(APIKEE_ERROR_MISSING_KEY, "MISSING_KEY") && code_is(APIKEE_ERROR_OVERLAP, "OVERLAP"));
  CHECK(code_is(APIKEE_ERROR_INVALID_METHOD, "INVALID_METHOD") && code_is(APIKEE_ERROR_SERVER_REJECTED, "SERVER_REJECTED"));
  for (int32_t error = 0; error < 127; error++) {
    bool known = error <= 10 || (error >= 32 && error <= 41) || (error >= 64 && error <= 68) ||
                 (error >= 96 && error <= 109);
    CHECK(code_is(error, "OTHER") != known);
  }
  CHECK(code_is(APIKEE_ERROR_OTHER, "OTHER") && code_is(-1, "OTHER") && code_is(INT32_MAX, "OTHER"));
}

void test_issue(void) {
  an_issued_key_verifies();
  zeros_mean_a_key_of_ninety_days();
  invalid_claims_are_not_issued();
  a_keyring_holds_eight_secrets_but_no_empty_one();
  a_leeway_of_more_than_a_day_is_an_error();
  fingerprints_and_prefixes_do_not_reveal_the_key();
  each_code_has_its_text();
}
