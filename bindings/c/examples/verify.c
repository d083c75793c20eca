/* Verifies a key and prints its tenant. The program is the same on a host and on a microcontroller: see boards/. */
#include "apikee.h"

#include "board.h"

static const char SECRET[] = "d261e10ae9fc6c76e86bb80b0fac04676c4161b1dfb96298624a40c7d1e1948c";

/* Issued with the published Node SDK: tenant "a", scope "read", good until 1760172800. */
static char key[] =
    "apikee_Cn8aKvRf34gQPa5zF767ptoGbLpYcpYF00sNXu8St4HnhoYFC727q95b6rzNpFc4wwJo4NzBwgDD0dseumoKPRlGsWhZCzs0FIq8"
    "bIb3OXEjEGYxdccO7tVlubYVZo16HDyjQetUnPtcrv9kM2F3.r62DJ9kPhOHIGSVQbe7ITEOoSP0R5HyeO2qbcFCvQFw";

/* The time. For a device, see "A clock without a battery" in the documentation of `apikee`. */
static const int64_t NOW = 1760000000;

/* Objects that live as long as the program are in static memory, not on the stack. */
static apikee_keyring keyring;

static void print(const char *text) {
  size_t len = 0;
  while (text[len] != 0) len++;
  board_print(text, len);
}

static void print_text(const char *label, apikee_text text) {
  print(label);
  board_print(text.ptr, text.len);
  print("\n");
}

/* Prints whether a request with this key may read. */
static apikee_error may_read(const char *header, size_t len, int64_t now) {
  uint8_t buf[512];
  apikee_claims claims;
  apikee_error error = apikee_verify(&keyring, header, len, now, buf, sizeof buf, &claims);
  if (error != APIKEE_ERROR_OK) return error;
  error = apikee_claims_require_scope(&claims, "read", 4);
  if (error != APIKEE_ERROR_OK) return error;

  /* `tenant` points into `buf`. */
  apikee_text tenant;
  error = apikee_claims_get_tenant(&claims, &tenant);
  if (error != APIKEE_ERROR_OK) return error;
  print_text("tenant: ", tenant);
  char plan[16];
  size_t plan_len;
  if (apikee_claims_get_meta_str(&claims, "plan", 4, plan, sizeof plan, &plan_len) == APIKEE_ERROR_OK) {
    apikee_text text = {plan, plan_len};
    print_text("plan: ", text);
  }
  return APIKEE_ERROR_OK;
}

static bool answers(const char *request, apikee_error expected, int64_t now) {
  apikee_error error = may_read(key, sizeof key - 1, now);
  print(request);
  print(": ");
  print(apikee_error_code(error));
  print("\n");
  return error == expected;
}

int main(void) {
  if (apikee_keyring_init(&keyring, SECRET, sizeof SECRET - 1) != APIKEE_ERROR_OK) return 2;

  bool fine = answers("a good key", APIKEE_ERROR_OK, NOW);
  fine = answers("a year later", APIKEE_ERROR_EXPIRED, NOW + 365 * 86400) && fine;
  key[sizeof key - 2] ^= 1;
  fine = answers("a forged key", APIKEE_ERROR_INVALID_SIGNATURE, NOW) && fine;

  apikee_keyring_wipe(&keyring);
  fine = answers("without a secret", APIKEE_ERROR_NOT_INITIALISED, NOW) && fine;
  return fine ? 0 : 1;
}
