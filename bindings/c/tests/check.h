/* Helpers for the tests. */
#ifndef CHECK_H
#define CHECK_H

#include "apikee.h"

/* Counts a check, and prints it if it fails. `name` is the name of the vector, or null. */
void check_at(bool holds, const char *what, const char *name, const char *file, int line);

#define CHECK(holds) check_at((holds), #holds, NULL, __FILE__, __LINE__)
#define CHECK_OF(name, holds) check_at((holds), #holds, (name), __FILE__, __LINE__)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A generator that returns the given bytes, and fails after the last one. */
typedef struct pinned {
  apikee_text bytes;
  size_t drawn;
} pinned;
int draw_pinned(void *context, uint8_t *out, size_t len);

bool same_bytes(const void *a, const void *b, size_t len);
bool same_text(apikee_text a, apikee_text b);
bool is_text(apikee_text a, const char *literal);

/* The files of the tests. */
void test_keys(void);
void test_envelopes(void);
void test_requests(void);
void test_issue(void);
void test_buffers(void);
void test_misuse(void);
void test_objects(void);

#endif
