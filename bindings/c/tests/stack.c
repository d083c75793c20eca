/* Measures how much stack each function takes below its caller, on a board, and prints `NAME.stack = BYTES`.
 * Fails if a function leaves parts of the stack in an object. */
#include "board.h"
#include "check.h"
#include "vectors_types.h"

#ifdef APIKEE_ENVELOPE
#include "vectors_envelopes.h"
#endif
#include "vectors_keys.h"

/* Bytes of paint: more than any function uses. */
enum { DEPTH = 16 * 1024, PAINT = 0xA5 };

static const int64_t NOW = 1760000000;
static const char SECRET[] = "d261e10ae9fc6c76e86bb80b0fac04676c4161b1dfb96298624a40c7d1e1948c";
/* Members for an object whose names the reader must compare with each other, because two share a bit in its filter, or
 * have escapes. That takes more stack than the rest of reading. Two names also have the same hash, and there are more
 * names than one round compares. */
#define COMPARED \
  "\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,\"o\":0," \
  "\"p\":0,\"axxqz\":0,\"b\\u0065sfy\":0"
static const apikee_text SCOPES[] = {APIKEE_TEXT("read"), APIKEE_TEXT("write \"all\"")};
static const apikee_new_key NEW_KEY = {APIKEE_TEXT("acme-corp"),
                                       SCOPES,
                                       LENGTH(SCOPES),
                                       APIKEE_TEXT("staging"),
                                       APIKEE_TEXT("{\"plan\": {\"name\": \"p\\u0072o\"}, \"seats\": 5, \"beta\": true, \"n\": \"v\"," COMPARED "}"),
                                       APIKEE_EXPIRY_AFTER,
                                       true,
                                       86400,
                                       1760000000};

static apikee_keyring keyring;
static apikee_claims claims;
static uint8_t key[1024], buf[16 * 1024];
static size_t key_len;

static apikee_error error;
static bool answer_is;
static apikee_text text;
static int64_t number;
static size_t size;
static uint32_t encoding;
static uint8_t fingerprint[APIKEE_FINGERPRINT_LEN];

static int fill(void *context, uint8_t *out, size_t len) {
  (void)context;
  for (size_t at = 0; at < len; at++) out[at] = 0x42;
  return 0;
}

static void print(const char *line) {
  size_t len = 0;
  while (line[len] != 0) len++;
  board_print(line, len);
}

static void report(const char *name, size_t bytes) {
  char digits[8];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + bytes % 10);
    bytes /= 10;
  } while (bytes != 0);
  print(name);
  print(".stack = ");
  board_print(digits + at, sizeof digits - at);
  print("\n");
}

typedef void operation(void);

/* The bytes of stack that `run` uses below this function. */
static __attribute__((noinline)) size_t depth(operation *run) {
  volatile uint8_t *here;
  __asm__ volatile("mov %0, sp" : "=r"(here));
  for (volatile uint8_t *at = here - DEPTH; at < here; at++) *at = PAINT;
  run();
  volatile uint8_t *at = here - DEPTH;
  while (at < here && *at == PAINT) at++;
  return (size_t)(here - at);
}

static bool keeps_paint(const void *object, size_t len) {
  const uint8_t *bytes = (const uint8_t *)object;
  size_t in_a_row = 0;
  for (size_t at = 0; at < len && in_a_row < 4; at++) in_a_row = bytes[at] == PAINT ? in_a_row + 1 : 0;
  return in_a_row == 4;
}

static bool measure(const char *name, operation *run, const void *object, size_t len) {
  error = APIKEE_ERROR_OK;
  answer_is = true;
  report(name, depth(run));
  bool fine = error == APIKEE_ERROR_OK && answer_is && !keeps_paint(object, len);
  if (!fine) print("FAILED\n");
  return fine;
}

#ifdef APIKEE_MSGPACK
/* A key of SECRET in MessagePack, whose names in meta must be compared: a to o, axxqz and besfy. */
static const char COMPARED_KEY[] =
    "apikee_DslphzxtYUGvpolry8cnas9wpqdZMUK1raDRTfwRoex5NmvltFZxw7BduRYkV4CdpcR4Cc6lBvlej5uRSbcNZbyDhmR1R"
    "gH5hbv0lKN2RxHf19noVQ4kJWDw1M3yIum7HXxO002fmJvDZnODZ2lU.ggaI9FifoZLwOCHuJ9pbizKdmtrFkL94sqZK4LLuNJv";
static void verify_compared(void) {
  error = apikee_verify(&keyring, COMPARED_KEY, sizeof COMPARED_KEY - 1, NOW, buf, sizeof buf, &claims);
}
#endif

/* Different keys use different code, so the maximum over all keys counts. */
static const key_vector *vector;
static void verify_vector(void) {
  apikee_error own = apikee_verify(&keyring, vector->key.ptr, vector->key.len, vector->now, buf, sizeof buf, &claims);
  if ((own == APIKEE_ERROR_OK) != (vector->ok != 0)) error = APIKEE_ERROR_OTHER;
}
static bool measure_verify(size_t deepest) {
  error = APIKEE_ERROR_OK;
  for (size_t at = 0; at < LENGTH(key_vectors); at++) {
    vector = &key_vectors[at];
#ifndef APIKEE_MSGPACK
    if (vector->msgpack) continue;
#endif
    if (apikee_keyring_init(&keyring, vector->secrets[0].ptr, vector->secrets[0].len) != APIKEE_ERROR_OK) return false;
    for (size_t other = 1; other < vector->secret_count; other++)
      if (apikee_keyring_accept(&keyring, vector->secrets[other].ptr, vector->secrets[other].len) != APIKEE_ERROR_OK)
        return false;
    size_t bytes = depth(verify_vector);
    if (bytes > deepest) deepest = bytes;
    if (keeps_paint(&claims, sizeof claims)) error = APIKEE_ERROR_OTHER;
  }
  report("apikee_verify", deepest);
  if (error != APIKEE_ERROR_OK) print("FAILED\n");
  return error == APIKEE_ERROR_OK;
}

static void init(void) { error = apikee_keyring_init(&keyring, SECRET, sizeof SECRET - 1); }
static void accept(void) { error = apikee_keyring_accept(&keyring, SECRET, sizeof SECRET - 1); }
static void leeway(void) { error = apikee_keyring_set_leeway(&keyring, 10); }
static void issue(void) {
  error = apikee_issue(&keyring, &NEW_KEY, NOW * 1000, fill, NULL, key, sizeof key, &key_len);
}
static void verify(void) { error = apikee_verify(&keyring, key, key_len, NOW, buf, sizeof buf, &claims); }
static void has(void) { answer_is = apikee_claims_has_scope(&claims, "read", 4); }
static void require(void) { error = apikee_claims_require_scope(&claims, "read", 4); }
static void require_all(void) { error = apikee_claims_require_scopes(&claims, SCOPES, LENGTH(SCOPES), &size); }
static void tenant(void) { error = apikee_claims_get_tenant(&claims, &text); }
static void id(void) { error = apikee_claims_get_id(&claims, &text); }
static void environment(void) { error = apikee_claims_get_environment(&claims, &text); }
static void expires_at(void) { error = apikee_claims_get_expires_at(&claims, &number); }
static void not_before(void) { error = apikee_claims_get_not_before(&claims, &number); }
static void secret_index(void) { error = apikee_claims_get_secret_index(&claims, &size); }
static void scope(void) { error = apikee_claims_get_scope(&claims, 1, &text); }
static void meta(void) { error = apikee_claims_get_meta(&claims, &text, &encoding); }
static void meta_str(void) {
  char copy[4];
  error = apikee_claims_get_meta_str(&claims, "n", 1, copy, sizeof copy, &size);
}
static void meta_int(void) { error = apikee_claims_get_meta_int(&claims, "seats", 5, &number); }
static void meta_bool(void) { error = apikee_claims_get_meta_bool(&claims, "beta", 4, &answer_is); }
static void name_of_key(void) { error = apikee_get_fingerprint(key, key_len, &fingerprint); }
static void front_of_key(void) { error = apikee_get_log_prefix(key, key_len, &text); }
static void code(void) { answer_is = apikee_error_code(APIKEE_ERROR_OTHER)[0] == 'O'; }
static void wipe(void) { apikee_keyring_wipe(&keyring); }

static bool measure_keys(void) {
  bool fine = measure("apikee_keyring_init", init, &keyring, sizeof keyring);
  fine = measure("apikee_keyring_accept", accept, &keyring, sizeof keyring) && fine;
  fine = measure("apikee_keyring_set_leeway", leeway, &keyring, sizeof keyring) && fine;
  fine = measure("apikee_issue", issue, key, key_len) && fine;
  size_t deepest = 0, bytes;
#ifdef APIKEE_MSGPACK
  deepest = depth(verify_compared);
  fine = error == APIKEE_ERROR_OK && fine;
#endif
  bytes = depth(verify);
  if (bytes > deepest) deepest = bytes;
  fine = error == APIKEE_ERROR_OK && fine;
  fine = measure("apikee_claims_has_scope", has, NULL, 0) && fine;
  fine = measure("apikee_claims_require_scope", require, NULL, 0) && fine;
  fine = measure("apikee_claims_require_scopes", require_all, NULL, 0) && fine;
  fine = measure("apikee_claims_get_tenant", tenant, &text, sizeof text) && fine;
  fine = measure("apikee_claims_get_id", id, &text, sizeof text) && fine;
  fine = measure("apikee_claims_get_environment", environment, &text, sizeof text) && fine;
  fine = measure("apikee_claims_get_expires_at", expires_at, &number, sizeof number) && fine;
  fine = measure("apikee_claims_get_not_before", not_before, &number, sizeof number) && fine;
  fine = measure("apikee_claims_get_secret_index", secret_index, &size, sizeof size) && fine;
  fine = measure("apikee_claims_get_scope", scope, &text, sizeof text) && fine;
  fine = measure("apikee_claims_get_meta", meta, &text, sizeof text) && fine;
  fine = measure("apikee_claims_get_meta_str", meta_str, &size, sizeof size) && fine;
  fine = measure("apikee_claims_get_meta_int", meta_int, &number, sizeof number) && fine;
  fine = measure("apikee_claims_get_meta_bool", meta_bool, NULL, 0) && fine;
  fine = measure("apikee_get_fingerprint", name_of_key, fingerprint, sizeof fingerprint) && fine;
  fine = measure("apikee_get_log_prefix", front_of_key, &text, sizeof text) && fine;
  fine = measure("apikee_error_code", code, NULL, 0) && fine;
  fine = measure("apikee_keyring_wipe", wipe, &keyring, sizeof keyring) && fine;
  return measure_verify(deepest) && fine;
}

#ifdef APIKEE_ENVELOPE
/* The request that the golden answer is about. */
static const apikee_validate_request ANSWERED = {APIKEE_TEXT("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
                                                 APIKEE_TEXT("my-app-production"),
                                                 APIKEE_TEXT("GET"),
                                                 APIKEE_TEXT("/users"),
                                                 {NULL, 0},
                                                 NULL,
                                                 0,
                                                 {NULL, 0},
                                                 1760000000000,
                                                 false};
static const apikee_header HEADERS[] = {{APIKEE_TEXT("User-Agent"), APIKEE_TEXT("caf\303\251")}};
static const apikee_validate_request REQUEST = {APIKEE_TEXT("497f6eca-6276-4993-bfeb-53cbbbba6f08"),
                                                APIKEE_TEXT("my-app"),
                                                APIKEE_TEXT("get"),
                                                APIKEE_TEXT("/\001"),
                                                {NULL, 0},
                                                HEADERS,
                                                LENGTH(HEADERS),
                                                APIKEE_TEXT("{" COMPARED "}"),
                                                1760000000000,
                                                false};

static apikee_server_key server;
static apikee_session session;
static apikee_pending pending;
static apikee_answer answer;
static uint8_t body[512];
static size_t body_len, sealed_len;
static const envelope_vector *exchange;

static int fill_pinned(void *context, uint8_t *out, size_t len) {
  const apikee_text *from = (const apikee_text *)context;
  for (size_t at = 0; at < len; at++) out[at] = (uint8_t)from->ptr[at];
  return 0;
}

static void target(void) { error = apikee_write_validate_target(&REQUEST, body, sizeof body, &body_len); }
static void write_body(void) { error = apikee_write_validate_body(&REQUEST, body, sizeof body, &body_len); }
static void server_key(void) {
  error = apikee_server_key_init(&server, exchange->server_public.ptr, exchange->server_public.len);
}
static void establish(void) {
  apikee_text secret = exchange->ephemeral_private;
  error = apikee_session_establish(&session, &server, fill_pinned, &secret);
}
static void seal(void) {
  error = apikee_session_seal(&session, body, body_len, fill, NULL, buf, sizeof buf, &sealed_len, &pending);
}
static void load(void) {
  for (size_t at = 0; at < exchange->envelope.len; at++) buf[at] = (uint8_t)exchange->envelope.ptr[at];
}
static void require_success(void) {
  error = apikee_pending_require_success(&pending, &ANSWERED, buf, exchange->envelope.len, &answer);
  if (error == APIKEE_ERROR_SERVER_REJECTED) error = APIKEE_ERROR_OK;
}
static void open(void) { error = apikee_pending_open(&pending, buf, exchange->envelope.len, &text); }
static void unsealed(void) {
  static char verdict[] = "{\"success\":true,\"message\":\"\\u00e9\"," COMPARED "}";
  error = apikee_unsealed_require_success(&REQUEST, verdict, sizeof verdict - 1, &answer);
}
static void wipe_session(void) { apikee_session_wipe(&session); }
static void wipe_pending(void) { apikee_pending_wipe(&pending); }

static bool measure_envelopes(void) {
  bool fine = measure("apikee_write_validate_target", target, body, sizeof body);
  fine = measure("apikee_write_validate_body", write_body, body, sizeof body) && fine;
  exchange = envelope_vectors;
  while (exchange->kind != 'r' || exchange->iv.ptr != NULL || !exchange->ok) exchange++;
  fine = measure("apikee_server_key_init", server_key, &server, sizeof server) && fine;
  fine = measure("apikee_session_establish", establish, &session, sizeof session) && fine;
  fine = measure("apikee_session_seal", seal, &pending, sizeof pending) && fine;
  load();
  fine = measure("apikee_pending_require_success", require_success, &answer, sizeof answer) && fine;
  establish();
  seal();
  load();
  fine = measure("apikee_pending_open", open, &text, sizeof text) && fine;
  fine = measure("apikee_unsealed_require_success", unsealed, &answer, sizeof answer) && fine;
  fine = measure("apikee_session_wipe", wipe_session, &session, sizeof session) && fine;
  return measure("apikee_pending_wipe", wipe_pending, &pending, sizeof pending) && fine;
}
#endif

int main(void) {
  bool fine = measure_keys();
#ifdef APIKEE_ENVELOPE
  fine = measure_envelopes() && fine;
#endif
  return fine ? 0 : 1;
}
