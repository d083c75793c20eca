/* Includes the header, and uses its macros and some functions, for compilers with all warnings. It is not linked. */
#include "apikee.h"
/* Including it again must change nothing. */
#include "apikee.h"

/* Every macro must be a constant. */
extern uint8_t verify_buffer[APIKEE_VERIFY_BUFFER_LEN(300)];
extern uint8_t issue_buffer[APIKEE_ISSUE_BUFFER_LEN(200)];
extern uint8_t envelope[APIKEE_SEALED_LEN(100)];
extern const apikee_text TENANT, SCOPES[2];
const apikee_text TENANT = APIKEE_TEXT("acme-corp");
const apikee_text SCOPES[2] = {APIKEE_TEXT("read"), APIKEE_TEXT("write")};

size_t lengths(int key_len, unsigned char payload_len);
size_t lengths(int key_len, unsigned char payload_len) {
  return APIKEE_VERIFY_BUFFER_LEN(key_len) + APIKEE_ISSUE_BUFFER_LEN(payload_len) + APIKEE_SEALED_LEN(key_len + 1);
}

bool may_administer(const apikee_keyring *keyring, const char *key, size_t key_len, int64_t now);
bool may_administer(const apikee_keyring *keyring, const char *key, size_t key_len, int64_t now) {
  apikee_claims claims;
  apikee_error error = apikee_verify(keyring, key, key_len, now, verify_buffer, sizeof verify_buffer, &claims);
  if (error != APIKEE_ERROR_OK) return false;
  if (apikee_claims_has_scope(&claims, "admin", 5)) return true;
  return apikee_claims_require_scopes(&claims, SCOPES, 2, NULL) == APIKEE_ERROR_OK;
}
