/* Objects are wiped after use, and cannot be used after that. */
#include <string.h>

#include "check.h"

static const int64_t NOW = 1760000000;

/* Simulates memory that was never written, or was used before. */
#define SPOIL(object) memset(&(object), 0xEE, sizeof(object))

static bool all_zero(const void *object, size_t size) {
  const uint8_t *bytes = (const uint8_t *)object;
  for (size_t at = 0; at < size; at++)
    if (bytes[at] != 0) return false;
  return true;
}

/* False for lengths and padding, which are the same in all objects. */
static bool looks_random(const uint8_t *bytes, size_t size) {
  size_t zeros = 0;
  for (size_t at = 0; at < size; at++) zeros += bytes[at] == 0;
  return zeros <= 3;
}

/* Whether `object` contains 16 random-looking bytes of `old`. */
static bool has_part_of(const uint8_t *object, size_t size, const uint8_t *old, size_t old_size) {
  for (size_t part = 0; part + 16 <= old_size; part += 8) {
    if (!looks_random(old + part, 16)) continue;
    for (size_t at = 0; at + 16 <= size; at++)
      if (memcmp(object + at, old + part, 16) == 0) return true;
  }
  return false;
}

static int fill(void *context, uint8_t *out, size_t len) {
  (void)context;
  memset(out, 0x42, len);
  return 0;
}

static void a_keyring_is_wiped_completely(void) {
  apikee_keyring keyring;
  SPOIL(keyring);
  CHECK(apikee_keyring_init(&keyring, "secret", 6) == APIKEE_ERROR_OK);
  while (apikee_keyring_accept(&keyring, "another", 7) == APIKEE_ERROR_OK) continue;
  CHECK(!all_zero(&keyring, sizeof keyring));
  apikee_keyring_wipe(&keyring);
  CHECK(all_zero(&keyring, sizeof keyring));
  CHECK(apikee_keyring_accept(&keyring, "another", 7) == APIKEE_ERROR_NOT_INITIALISED);
  CHECK(apikee_keyring_set_leeway(&keyring, 1) == APIKEE_ERROR_NOT_INITIALISED);

  SPOIL(keyring);
  apikee_keyring_wipe(&keyring);
  CHECK(all_zero(&keyring, sizeof keyring));
  SPOIL(keyring);
  CHECK(apikee_keyring_init(&keyring, "", 0) == APIKEE_ERROR_EMPTY_SECRET && all_zero(&keyring, sizeof keyring));
}

enum { PAINT = 0xA5 };

/* Fills the stack, as earlier calls would. */
static void paint_stack(void) {
  volatile uint8_t stack[32 * 1024];
  for (size_t at = 0; at < sizeof stack; at++) stack[at] = PAINT;
}

static bool keeps_paint(const void *object, size_t size) {
  const uint8_t *bytes = (const uint8_t *)object;
  size_t in_a_row = 0;
  for (size_t at = 0; at < size && in_a_row < 4; at++) in_a_row = bytes[at] == PAINT ? in_a_row + 1 : 0;
  return in_a_row == 4;
}

static void an_object_is_built_in_place_without_data_of_the_stack(void) {
  apikee_keyring keyring;
  apikee_claims claims;
  apikee_new_key new_key = {APIKEE_TEXT("acme"), NULL, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0};
  static char key[512];
  static uint8_t buf[512];
  size_t len;
  SPOIL(keyring), SPOIL(claims);
  paint_stack();
  CHECK(apikee_keyring_init(&keyring, "secret", 6) == APIKEE_ERROR_OK && !keeps_paint(&keyring, sizeof keyring));
  /* The state of one secret has at most 80 bytes. The rest is the mark, a number and the leeway. */
  const uint8_t *bytes = (const uint8_t *)&keyring;
  size_t used = 0;
  for (size_t at = 0; at < sizeof keyring; at++) used += bytes[at] != 0;
  CHECK(used <= 80 + 24);
  paint_stack();
  CHECK(apikee_keyring_accept(&keyring, "another", 7) == APIKEE_ERROR_OK && !keeps_paint(&keyring, sizeof keyring));
  CHECK(apikee_issue(&keyring, &new_key, NOW * 1000, fill, NULL, key, sizeof key, &len) == APIKEE_ERROR_OK);
  paint_stack();
  CHECK(apikee_verify(&keyring, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
  /* On 64-bit machines there is a gap of four bytes between two members. */
  if (sizeof(void *) == 4) CHECK(!keeps_paint(&claims, sizeof claims));
#ifdef APIKEE_ENVELOPE
  static const char PUBLIC[] = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";
  apikee_server_key server;
  apikee_session session;
  apikee_pending pending;
  SPOIL(server), SPOIL(session), SPOIL(pending);
  paint_stack();
  CHECK(apikee_server_key_init(&server, PUBLIC, sizeof PUBLIC - 1) == APIKEE_ERROR_OK);
  CHECK(!keeps_paint(&server, sizeof server));
  paint_stack();
  CHECK(apikee_session_establish(&session, &server, fill, NULL) == APIKEE_ERROR_OK);
  CHECK(!keeps_paint(&session, sizeof session));
  paint_stack();
  CHECK(apikee_session_seal(&session, "{}", 2, fill, NULL, buf, sizeof buf, &len, &pending) == APIKEE_ERROR_OK);
  CHECK(!keeps_paint(&pending, sizeof pending));
#endif
}

static void a_keyring_made_over_another_keeps_nothing_of_it(void) {
  apikee_keyring keyring, old;
  char secret[] = "secret 0";
  memset(&keyring, 0, sizeof keyring);
  CHECK(apikee_keyring_init(&keyring, "first", 5) == APIKEE_ERROR_OK);
  for (; secret[7] < '0' + APIKEE_MAX_SECRETS - 1; secret[7]++)
    CHECK(apikee_keyring_accept(&keyring, secret, sizeof secret - 1) == APIKEE_ERROR_OK);
  memcpy(&old, &keyring, sizeof old);
  CHECK(has_part_of((uint8_t *)&keyring, sizeof keyring, (uint8_t *)&old, sizeof old));
  CHECK(apikee_keyring_init(&keyring, "second", 6) == APIKEE_ERROR_OK);
  CHECK(!has_part_of((uint8_t *)&keyring, sizeof keyring, (uint8_t *)&old, sizeof old));
}

static void claims_of_an_earlier_key_are_wiped(void) {
  apikee_keyring keyring;
  apikee_claims claims;
  apikee_new_key new_key = {APIKEE_TEXT("acme"), NULL, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0};
  char key[512];
  uint8_t buf[512];
  size_t len;
  apikee_text text;
  CHECK(apikee_keyring_init(&keyring, "secret", 6) == APIKEE_ERROR_OK);
  CHECK(apikee_issue(&keyring, &new_key, NOW * 1000, fill, NULL, key, sizeof key, &len) == APIKEE_ERROR_OK);
  SPOIL(claims);
  CHECK(apikee_verify(&keyring, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
  CHECK(apikee_claims_get_tenant(&claims, &text) == APIKEE_ERROR_OK && is_text(text, "acme"));
  const char last = key[len - 1];
  key[len - 1] = last == 'a' ? 'b' : 'a';
  CHECK(apikee_verify(&keyring, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_INVALID_SIGNATURE);
  CHECK(all_zero(&claims, sizeof claims));
  CHECK(apikee_claims_get_tenant(&claims, &text) == APIKEE_ERROR_NOT_INITIALISED && text.ptr == NULL);
  CHECK(!apikee_claims_has_scope(&claims, "", 0));
  CHECK(apikee_claims_require_scope(&claims, "", 0) == APIKEE_ERROR_NOT_INITIALISED);
  CHECK(apikee_claims_require_scopes(&claims, NULL, 0, NULL) == APIKEE_ERROR_NOT_INITIALISED);
  /* Also if an argument is wrong. */
  key[len - 1] = last;
  CHECK(apikee_verify(&keyring, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
  CHECK(apikee_verify(NULL, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_NULL_POINTER);
  CHECK(all_zero(&claims, sizeof claims));
  /* An object of another kind counts as not initialised. */
  CHECK(apikee_verify(&keyring, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_OK);
  memcpy(&keyring, &claims, sizeof claims);
  CHECK(apikee_verify(&keyring, key, len, NOW, buf, sizeof buf, &claims) == APIKEE_ERROR_NOT_INITIALISED);
}

#ifdef APIKEE_ENVELOPE
static int broken(void *context, uint8_t *out, size_t len) {
  (void)context;
  memset(out, 0x42, len);
  return -1;
}

static void a_used_object_is_wiped(void) {
  static const char PUBLIC[] = "132bea5cbf3fc7a9943c6ea6c9b5522d15b466d41d56e4ecba15457bb3766105";
  apikee_server_key server;
  apikee_session session;
  apikee_pending pending;
  uint8_t buf[APIKEE_SEALED_LEN(2)];
  size_t len;
  apikee_text plaintext;
  SPOIL(server), SPOIL(session), SPOIL(pending);
  CHECK(apikee_server_key_init(&server, PUBLIC, sizeof PUBLIC - 1) == APIKEE_ERROR_OK);
  CHECK(apikee_session_establish(&session, &server, fill, NULL) == APIKEE_ERROR_OK);
  CHECK(!all_zero(&session, sizeof session));
  CHECK(apikee_session_seal(&session, "{}", 2, fill, NULL, buf, sizeof buf, &len, &pending) == APIKEE_ERROR_OK);
  CHECK(all_zero(&session, sizeof session) && !all_zero(&pending, sizeof pending));
  /* Opens our own request, sent back. */
  CHECK(apikee_pending_open(&pending, buf, len, &plaintext) == APIKEE_ERROR_ENVELOPE_WRONG_KEY);
  CHECK(all_zero(&pending, sizeof pending));

  CHECK(apikee_session_establish(&session, &server, fill, NULL) == APIKEE_ERROR_OK);
  CHECK(apikee_session_seal(&session, "{}", 2, broken, NULL, buf, sizeof buf, &len, &pending) ==
        APIKEE_ERROR_RANDOM_FAILED);
  CHECK(all_zero(&session, sizeof session) && all_zero(&pending, sizeof pending) && len == 0);
  SPOIL(session);
  CHECK(apikee_session_establish(&session, &server, broken, NULL) == APIKEE_ERROR_RANDOM_FAILED);
  CHECK(all_zero(&session, sizeof session));

  SPOIL(session), SPOIL(pending);
  apikee_session_wipe(&session);
  CHECK(all_zero(&session, sizeof session));
  apikee_pending_wipe(&pending);
  CHECK(all_zero(&pending, sizeof pending));
  SPOIL(server);
  CHECK(apikee_server_key_init(&server, PUBLIC, 63) == APIKEE_ERROR_SERVER_KEY_MALFORMED);
  CHECK(all_zero(&server, sizeof server));
}
#endif

void test_objects(void) {
  a_keyring_is_wiped_completely();
  an_object_is_built_in_place_without_data_of_the_stack();
  a_keyring_made_over_another_keeps_nothing_of_it();
  claims_of_an_earlier_key_are_wiped();
#ifdef APIKEE_ENVELOPE
  a_used_object_is_wiped();
#endif
}
