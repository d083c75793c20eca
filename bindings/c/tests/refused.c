/* Each CASE must not compile. Without a CASE, the file must compile. */
#include "apikee.h"

extern apikee_keyring keyring;
extern apikee_claims claims;
extern const char *name;

void misuse(const char *key, size_t len, int64_t now, uint8_t *buf);
void misuse(const char *key, size_t len, int64_t now, uint8_t *buf) {
  apikee_error error = apikee_verify(&keyring, key, len, now, buf, 512, &claims);
  apikee_text text = APIKEE_TEXT("literal");
#if CASE == 1
  apikee_verify(&keyring, key, len, now, buf, 512, &claims);
#elif CASE == 2
  apikee_claims_require_scope(&claims, "admin", 5);
#elif CASE == 3
  apikee_claims_require_scopes(&claims, &text, 1, NULL);
#elif CASE == 4
  apikee_claims_has_scope(&claims, "admin", 5);
#elif CASE == 5
  apikee_keyring_init(&keyring, key, len);
#elif CASE == 6
  apikee_pending_require_success(NULL, NULL, buf, len, NULL);
#elif CASE == 7
  error = apikee_keyring_wipe(&keyring);
#elif CASE == 8
  apikee_text of_a_pointer = APIKEE_TEXT(name);
  text = of_a_pointer;
#endif
  (void)error, (void)text;
}
