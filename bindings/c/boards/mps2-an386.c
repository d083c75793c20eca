/* Arm's MPS2 with a Cortex-M4 (AN386), as in QEMU, without a C library: start-up, and output and exit by
 * semihosting. */
#include "board.h"

#include <stdint.h>

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

int main(void);

/* Arm's "Semihosting for AArch32 and AArch64": SYS_WRITEC and SYS_EXIT_EXTENDED. */
enum { WRITEC = 0x03, EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void semihost(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void board_print(const char *text, size_t len) {
  for (size_t at = 0; at < len; at++) semihost(WRITEC, text + at);
}

static _Noreturn void leave(uint32_t code) {
  const uint32_t block[2] = {APPLICATION_EXIT, code};
  semihost(EXIT_EXTENDED, block);
  for (;;) {
  }
}

static void fault(void) { leave(3); }

static void reset(void) {
#ifdef __ARM_FP
  /* The floating-point unit is off after a reset. This enables full access to coprocessors 10 and 11 (CPACR). */
  *(volatile uint32_t *)0xE000ED88 |= UINT32_C(0xF) << 20;
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  const uint32_t *from = data_load;
  for (uint32_t *to = data_start; to < data_end; to++) *to = *from++;
  for (uint32_t *to = bss_start; to < bss_end; to++) *to = 0;
  leave((uint32_t)main());
}

/* The initial stack pointer, reset, NMI, and the faults. */
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  void (*handlers[6])(void);
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault}};
