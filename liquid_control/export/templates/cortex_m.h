/* What the programs for a bare Cortex-M use of the processor; see cortex_m.c. */
#ifndef LC_CORTEX_M_H
#define LC_CORTEX_M_H

#include <stdint.h>

/* Start SysTick at a rate in Hz, for a processor clock in Hz. */
void lc_timer_start(uint32_t clock_hz, uint32_t rate_hz);

/* Sleep until the next period; returns the number of the period, from 1 on. */
uint32_t lc_timer_wait(void);

/* Clock cycles of SysTick since lc_timer_start. */
uint64_t lc_timer_cycles(void);

/* Write text through the debugger or the emulator (semihosting). Without one, the processor stops
 * here: a program for flight must not call it. */
void lc_print(const char *text);

#endif
