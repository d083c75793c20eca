/* The golden keys and their claims. */
#include "check.h"
#include "vectors_types.h"

#include "vectors_keys.h"

static void check_time(const key_vector *v, optional_time expected, apikee_error error, int64_t seconds) {
  CHECK_OF(v->name, error == (expected.is_some ? APIKEE_ERROR_OK : APIKEE_ERROR_ABSENT));
  CHECK_OF(v->name, seconds == expected.seconds);
}

static void check_scopes(const key_vector *v, const apikee_claims *claims) {
  apikee_text scope;
  for (size_t at = 0; at < v->scope_count; at++) {
    CHECK_OF(v->name, apikee_claims_get_scope(claims, at, &scope) == APIKEE_ERROR_OK);
    CHECK_OF(v->name, same_text(scope, v->scopes[at]));
    CHECK_OF(v->name, apikee_claims_has_scope(claims, scope.ptr, scope.len));
    CHECK_OF(v->name, apikee_claims_require_scope(claims, scope.ptr, scope.len) == APIKEE_ERROR_OK);
  }
  CHECK_OF(v->name, apikee_claims_get_scope(claims, v->scope_count, &scope) == APIKEE_ERROR_ABSENT);
  CHECK_OF(v->name, scope.ptr == NULL && scope.len == 0);

  size_t missing = 99;
  CHECK_OF(v->name, apikee_claims_require_scopes(claims, v->scopes, v->scope_count, &missing) == APIKEE_ERROR_OK);
  CHECK_OF(v->name, missing == v->scope_count);
  /* The table has one more scope, which no key has. */
  apikee_error error = apikee_claims_require_scopes(claims, v->scopes, v->scope_count + 1, &missing);
  CHECK_OF(v->name, error == APIKEE_ERROR_INSUFFICIENT_SCOPE);
  CHECK_OF(v->name, missing == v->scope_count);
  CHECK_OF(v->name, apikee_claims_require_scopes(claims, v->scopes, v->scope_count + 1, NULL) == error);
}

static void check_members(const key_vector *v, const apikee_claims *claims) {
  for (size_t at = 0; at <= v->member_count; at++) {
    const member *m = &v->members[at];
    char buf[64];
    apikee_text text = {buf, 0};
    int64_t number;
    bool truth;
    apikee_error error = apikee_claims_get_meta_str(claims, m->name.ptr, m->name.len, buf, sizeof buf, &text.len);
    CHECK_OF(v->name, error == (m->kind == 's' ? APIKEE_ERROR_OK : APIKEE_ERROR_ABSENT));
    CHECK_OF(v->name, same_text(text, m->text));
    error = apikee_claims_get_meta_int(claims, m->name.ptr, m->name.len, &number);
    CHECK_OF(v->name, error == (m->kind == 'i' ? APIKEE_ERROR_OK : APIKEE_ERROR_ABSENT));
    CHECK_OF(v->name, number == (m->kind == 'i' ? m->number : 0));
    error = apikee_claims_get_meta_bool(claims, m->name.ptr, m->name.len, &truth);
    CHECK_OF(v->name, error == (m->kind == 'b' ? APIKEE_ERROR_OK : APIKEE_ERROR_ABSENT));
    CHECK_OF(v->name, truth == (m->kind == 'b' && m->number == 1));
  }
}

static void check_claims(const key_vector *v, const apikee_claims *claims) {
  apikee_text text;
  CHECK_OF(v->name, apikee_claims_get_id(claims, &text) == APIKEE_ERROR_OK && same_text(text, v->id));
  CHECK_OF(v->name, apikee_claims_get_tenant(claims, &text) == APIKEE_ERROR_OK && same_text(text, v->tenant));
  CHECK_OF(v->name, apikee_claims_get_environment(claims, &text) == APIKEE_ERROR_OK && same_text(text, v->environment));
  int64_t seconds;
  apikee_error error = apikee_claims_get_expires_at(claims, &seconds);
  check_time(v, v->expires_at, error, seconds);
  error = apikee_claims_get_not_before(claims, &seconds);
  check_time(v, v->not_before, error, seconds);
  size_t index = 99;
  CHECK_OF(v->name, apikee_claims_get_secret_index(claims, &index) == APIKEE_ERROR_OK && index < v->secret_count);
  uint32_t encoding = 99;
  CHECK_OF(v->name, apikee_claims_get_meta(claims, &text, &encoding) == APIKEE_ERROR_OK);
  CHECK_OF(v->name, text.len > 0);
  /* For a key without `meta`, the result is an empty JSON object. */
  bool packed = v->msgpack && !is_text(text, "{}");
  CHECK_OF(v->name, encoding == (packed ? (uint32_t)APIKEE_ENCODING_MSGPACK : (uint32_t)APIKEE_ENCODING_JSON));
  check_scopes(v, claims);
  check_members(v, claims);
}

static bool is_one_of(const char *code, const char *const codes[3]) {
  apikee_text text = {code, 0};
  while (code[text.len] != 0) text.len++;
  for (size_t at = 0; at < 3; at++)
    if (is_text(text, codes[at]) && text.len > 0) return true;
  return false;
}

static void check_key(const key_vector *v) {
  static uint8_t buf[16 * 1024];
  apikee_keyring keyring;
  CHECK_OF(v->name, apikee_keyring_init(&keyring, v->secrets[0].ptr, v->secrets[0].len) == APIKEE_ERROR_OK);
  for (size_t at = 1; at < v->secret_count; at++) {
    apikee_error error = apikee_keyring_accept(&keyring, v->secrets[at].ptr, v->secrets[at].len);
    CHECK_OF(v->name, error == APIKEE_ERROR_OK);
  }
  size_t room = APIKEE_VERIFY_BUFFER_LEN(v->key.len);
  CHECK_OF(v->name, room <= sizeof buf);
  apikee_claims claims;
  apikee_error error = apikee_verify(&keyring, v->key.ptr, v->key.len, v->now, buf, room, &claims);
  if (v->ok) {
    CHECK_OF(v->name, error == APIKEE_ERROR_OK);
    if (error == APIKEE_ERROR_OK) check_claims(v, &claims);
  } else {
    CHECK_OF(v->name, error != APIKEE_ERROR_OK && is_one_of(apikee_error_code(error), v->codes));
    apikee_text text;
    CHECK_OF(v->name, apikee_claims_get_tenant(&claims, &text) == APIKEE_ERROR_NOT_INITIALISED);
    for (size_t at = 0; at < v->scope_count; at++)
      CHECK_OF(v->name, !apikee_claims_has_scope(&claims, v->scopes[at].ptr, v->scopes[at].len));
  }
  apikee_keyring_wipe(&keyring);
}

void test_keys(void) {
  CHECK(LENGTH(key_vectors) == 143);
  for (size_t at = 0; at < LENGTH(key_vectors); at++) {
#ifndef APIKEE_MSGPACK
    if (key_vectors[at].msgpack) continue;
#endif
    check_key(&key_vectors[at]);
  }
}
