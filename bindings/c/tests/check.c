#include "check.h"

#include "board.h"

static unsigned checks, failures;

static void print(const char *text) {
  size_t len = 0;
  while (text[len] != 0) len++;
  board_print(text, len);
}

static void print_number(unsigned number) {
  char digits[10];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  board_print(digits + at, sizeof digits - at);
}

void check_at(bool holds, const char *what, const char *name, const char *file, int line) {
  checks++;
  if (holds) return;
  failures++;
  print("FAILED ");
  print(file);
  print(":");
  print_number((unsigned)line);
  print(name == NULL ? "" : " ");
  print(name == NULL ? "" : name);
  print(": ");
  print(what);
  print("\n");
}

int draw_pinned(void *context, uint8_t *out, size_t len) {
  pinned *from = (pinned *)context;
  if (from->bytes.len - from->drawn < len) return 1;
  for (size_t at = 0; at < len; at++) out[at] = (uint8_t)from->bytes.ptr[from->drawn++];
  return 0;
}

bool same_bytes(const void *a, const void *b, size_t len) {
  const uint8_t *left = (const uint8_t *)a, *right = (const uint8_t *)b;
  for (size_t at = 0; at < len; at++)
    if (left[at] != right[at]) return false;
  return true;
}

bool same_text(apikee_text a, apikee_text b) { return a.len == b.len && same_bytes(a.ptr, b.ptr, a.len); }

bool is_text(apikee_text a, const char *literal) {
  apikee_text b = {literal, 0};
  while (literal[b.len] != 0) b.len++;
  return same_text(a, b);
}

int main(void) {
  test_keys();
#ifdef APIKEE_ENVELOPE
  test_envelopes();
  test_requests();
#endif
  test_issue();
#ifdef HOSTED
  test_buffers();
  test_misuse();
  test_objects();
#endif
  print_number(checks);
  print(" checks, ");
  print_number(failures);
  print(" failed\n");
  return failures == 0 ? 0 : 1;
}
