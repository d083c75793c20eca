/* The functions that the example and the tests need from a board. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>

void board_print(const char *text, size_t len);

#endif
