/* Faults that UndefinedBehaviorSanitizer must report: a sum that overflows, and a misaligned read. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  uint64_t room[2] = {0, 0};
  volatile int most = INT_MAX;
  if (count > 1 && arguments[1][0] == 'o') return (most + count) & 1;
  return (int)*(volatile uint32_t *)(void *)((char *)room + 1);
}
