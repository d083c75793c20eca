/* The golden envelopes, answers and server keys. */
#include "check.h"
#include "vectors_types.h"

#include "vectors_envelopes.h"

static uint8_t buf[16 * 1024];

/* Four of the golden answers are about another request. */
static const apikee_validate_request REQUEST = {APIKEE_TEXT("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
                                                APIKEE_TEXT("my-app-production"), APIKEE_TEXT("GET"),
                                                APIKEE_TEXT("/users"), {NULL, 0}, NULL, 0, {NULL, 0}, 0, 0};
static size_t about_others;

static bool establish(const envelope_vector *v, apikee_session *session) {
  apikee_server_key server;
  pinned secret = {v->ephemeral_private, 0};
  CHECK_OF(v->name, apikee_server_key_init(&server, v->server_public.ptr, v->server_public.len) == APIKEE_ERROR_OK);
  apikee_error error = apikee_session_establish(session, &server, draw_pinned, &secret);
  CHECK_OF(v->name, error == APIKEE_ERROR_OK);
  return error == APIKEE_ERROR_OK;
}

static void check_request(const envelope_vector *v) {
  apikee_session session;
  apikee_pending pending;
  if (!establish(v, &session)) return;
  pinned iv = {v->iv, 0};
  apikee_text sealed = {(const char *)buf, 0};
  apikee_error error = apikee_session_seal(&session, v->plaintext.ptr, v->plaintext.len, draw_pinned, &iv, buf,
                                           APIKEE_SEALED_LEN(v->plaintext.len), &sealed.len, &pending);
  CHECK_OF(v->name, error == APIKEE_ERROR_OK);
  CHECK_OF(v->name, same_text(sealed, v->envelope));
  static uint8_t answer[sizeof buf];
  apikee_text plaintext;
  CHECK_OF(v->name, v->reflected.len <= sizeof answer);
  for (size_t at = 0; at < v->reflected.len; at++) answer[at] = (uint8_t)v->reflected.ptr[at];
  error = apikee_pending_open(&pending, answer, v->reflected.len, &plaintext);
  CHECK_OF(v->name, error == APIKEE_ERROR_ENVELOPE_REFLECTED && plaintext.ptr == NULL && plaintext.len == 0);
  /* The session is used up. */
  error = apikee_session_seal(&session, v->plaintext.ptr, v->plaintext.len, draw_pinned, &iv, buf, sizeof buf,
                              &sealed.len, &pending);
  CHECK_OF(v->name, error == APIKEE_ERROR_NOT_INITIALISED && sealed.len == 0);
}

/* Makes the state that opens the answer. No vector contains the nonce of its request. */
static bool await(const envelope_vector *v, apikee_pending *pending) {
  apikee_session session;
  if (!establish(v, &session)) return false;
  pinned iv = {{"twelve bytes", 12}, 0};
  size_t len;
  apikee_error error = apikee_session_seal(&session, "{}", 2, draw_pinned, &iv, buf, sizeof buf, &len, pending);
  CHECK_OF(v->name, error == APIKEE_ERROR_OK && len == APIKEE_SEALED_LEN(2));
  return error == APIKEE_ERROR_OK;
}

static void copy_answer(const envelope_vector *v) {
  CHECK_OF(v->name, v->envelope.len <= sizeof buf);
  for (size_t at = 0; at < v->envelope.len; at++) buf[at] = (uint8_t)v->envelope.ptr[at];
}

static void check_response(const envelope_vector *v) {
  apikee_pending pending;
  if (!await(v, &pending)) return;
  copy_answer(v);
  apikee_text plaintext;
  apikee_error error = apikee_pending_open(&pending, buf, v->envelope.len, &plaintext);
  if (v->ok) {
    CHECK_OF(v->name, error == APIKEE_ERROR_OK && same_text(plaintext, v->plaintext));
    CHECK_OF(v->name, (const uint8_t *)plaintext.ptr > buf && plaintext.ptr + plaintext.len < (char *)buf + v->envelope.len);
  } else {
    CHECK_OF(v->name, error >= APIKEE_ERROR_ENVELOPE_MALFORMED && error <= APIKEE_ERROR_ENVELOPE_FORGED);
    CHECK_OF(v->name, plaintext.ptr == NULL && plaintext.len == 0);
  }
  CHECK_OF(v->name, apikee_pending_open(&pending, buf, v->envelope.len, &plaintext) == APIKEE_ERROR_NOT_INITIALISED);
}

static void check_answer(const envelope_vector *v) {
  apikee_pending pending;
  if (!await(v, &pending)) return;
  copy_answer(v);
  apikee_answer answer;
  answer.success = true;
  apikee_error error = apikee_pending_require_success(&pending, &REQUEST, buf, v->envelope.len, &answer);
  CHECK_OF(v->name, answer.success == (error == APIKEE_ERROR_OK));
  if (v->ok) {
    CHECK_OF(v->name, error == APIKEE_ERROR_OK || error == APIKEE_ERROR_SERVER_REJECTED);
    CHECK_OF(v->name, answer.sealed);
  } else {
    CHECK_OF(v->name, error >= APIKEE_ERROR_ANSWER_MALFORMED && error <= APIKEE_ERROR_ANSWER_NO_VERDICT);
    CHECK_OF(v->name, !answer.sealed);
  }
}

/* An answer that opens is a verdict: its members are the same, sealed and in plain text. */
static void check_verdict(const envelope_vector *v) {
  apikee_pending pending;
  apikee_answer sealed, unsealed;
  static char body[4096];
  if (!await(v, &pending)) return;
  copy_answer(v);
  apikee_error error = apikee_pending_require_success(&pending, &REQUEST, buf, v->envelope.len, &sealed);
  CHECK_OF(v->name, v->plaintext.len <= sizeof body);
  for (size_t at = 0; at < v->plaintext.len; at++) body[at] = v->plaintext.ptr[at];
  CHECK_OF(v->name, apikee_unsealed_require_success(&REQUEST, body, v->plaintext.len, &unsealed) == error);
  if (error == APIKEE_ERROR_ANSWER_ANOTHER_REQUEST) {
    about_others++;
    CHECK_OF(v->name, !sealed.success && !sealed.sealed && sealed.client_id.ptr == NULL && sealed.code.ptr == NULL);
  }
  if (error != APIKEE_ERROR_OK && error != APIKEE_ERROR_SERVER_REJECTED) return;
  CHECK_OF(v->name, sealed.sealed && !unsealed.sealed && sealed.success == unsealed.success);
  CHECK_OF(v->name, sealed.has_duration == unsealed.has_duration && sealed.duration_ms == unsealed.duration_ms);
  CHECK_OF(v->name, same_text(sealed.client_id, unsealed.client_id));
  CHECK_OF(v->name, same_text(sealed.project_env, unsealed.project_env));
  CHECK_OF(v->name, same_text(sealed.method_path, unsealed.method_path));
  CHECK_OF(v->name, same_text(sealed.code, unsealed.code) && same_text(sealed.message, unsealed.message));
}

static void check_server_key(const envelope_vector *v) {
  apikee_server_key key;
  apikee_error error = apikee_server_key_init(&key, v->server_public.ptr, v->server_public.len);
  CHECK_OF(v->name, (error == APIKEE_ERROR_OK) == (v->ok != 0));
}

#define UNSEALED(body, answer) apikee_unsealed_require_success(&REQUEST, body, sizeof body - 1, answer)

static void check_members(void) {
  char body[] =
      "{\"success\":true,\"clientId\":\"497F6ECA-6276-4993-BFEB-53CBBBBA6F08\",\"project_env\":\"my-app-production\","
      "\"method_path\":\"GET:::/users\",\"durationMs\":12.9,\"code\":\"C\",\"message\":\"m\\u00e9\"}";
  apikee_answer answer;
  CHECK(UNSEALED(body, &answer) == APIKEE_ERROR_OK);
  CHECK(answer.success && !answer.sealed && answer.has_duration && answer.duration_ms == 12);
  CHECK(is_text(answer.client_id, "497F6ECA-6276-4993-BFEB-53CBBBBA6F08"));
  CHECK(is_text(answer.project_env, "my-app-production") && is_text(answer.method_path, "GET:::/users"));
  CHECK(is_text(answer.code, "C") && is_text(answer.message, "m\303\251"));
  char refusal[] = "{\"success\":false,\"code\":\"REVOKED\"}";
  CHECK(UNSEALED(refusal, &answer) == APIKEE_ERROR_SERVER_REJECTED);
  CHECK(!answer.success && !answer.has_duration && is_text(answer.code, "REVOKED") && answer.client_id.ptr == NULL);
  char reason[] = "{\"success\":false,\"code\":\"C\",\"error\":\"IP_NOT_ALLOWED\"}";
  CHECK(UNSEALED(reason, &answer) == APIKEE_ERROR_SERVER_REJECTED && is_text(answer.code, "IP_NOT_ALLOWED"));
}

static void check_other_requests(void) {
  char bodies[][128] = {"{\"success\":true,\"clientId\":\"00000000-0000-4000-8000-000000000000\"}",
                        "{\"success\":false,\"clientId\":\"00000000-0000-4000-8000-000000000000\"}",
                        "{\"success\":true,\"project_env\":\"another\"}",
                        "{\"success\":true,\"method_path\":\"DELETE:::/users\"}"};
  for (size_t at = 0; at < LENGTH(bodies); at++) {
    size_t len = 0;
    while (bodies[at][len] != '\0') len++;
    apikee_answer answer;
    answer.success = true;
    CHECK(apikee_unsealed_require_success(&REQUEST, bodies[at], len, &answer) == APIKEE_ERROR_ANSWER_ANOTHER_REQUEST);
    CHECK(!answer.success && answer.client_id.ptr == NULL && answer.method_path.ptr == NULL);
  }
  char number[] = "{\"success\":true,\"clientId\":7}";
  apikee_answer answer;
  CHECK(UNSEALED(number, &answer) == APIKEE_ERROR_ANSWER_MALFORMED && !answer.success);
}

void test_envelopes(void) {
  CHECK(LENGTH(envelope_vectors) == 56);
  for (size_t at = 0; at < LENGTH(envelope_vectors); at++) {
    const envelope_vector *v = &envelope_vectors[at];
    if (v->kind == 'r' && v->iv.ptr != NULL) {
      check_request(v);
    } else if (v->kind == 'r') {
      check_response(v);
      if (v->ok) check_verdict(v);
    } else if (v->kind == 'a') {
      check_answer(v);
    } else {
      check_server_key(v);
    }
  }
  CHECK(about_others == 4);
  check_members();
  check_other_requests();
}
