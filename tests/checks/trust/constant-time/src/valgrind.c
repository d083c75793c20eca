/* Valgrind's client requests, as functions. Outside valgrind they do nothing. */
#include <stddef.h>
#include <valgrind/memcheck.h>

void request_secret(void *at, size_t len) { (void)VALGRIND_MAKE_MEM_UNDEFINED(at, len); }

void request_public(void *at, size_t len) { (void)VALGRIND_MAKE_MEM_DEFINED(at, len); }

unsigned request_errors(void) { return (unsigned)VALGRIND_COUNT_ERRORS; }

int request_running(void) { return RUNNING_ON_VALGRIND; }
