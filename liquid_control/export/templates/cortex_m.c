/* Start-up code, timer and semihosting for a bare Cortex-M4F or M7: no vendor library. */
#include "cortex_m.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define CPACR REGISTER(0xE000ED88u)

#define SYS_WRITE0 0x04u
#define SYS_EXIT 0x18u
#define APPLICATION_EXIT 0x20026u
#define RUN_TIME_ERROR 0x20023u

/* Of the linker script. */
extern uint32_t lc_stack_top[], lc_data_load[], lc_data_start[], lc_data_end[], lc_bss_start[], lc_bss_end[];

int main(void);

static volatile uint32_t periods;
static uint32_t reload;

static uint32_t semihost(uint32_t operation, uintptr_t argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void lc_print(const char *text)
{
    semihost(SYS_WRITE0, (uintptr_t)text);
}

static void halt(void)
{
    semihost(SYS_EXIT, RUN_TIME_ERROR);
    for (;;) {
    }
}

static void count_period(void)
{
    ++periods;
}

void lc_timer_start(uint32_t clock_hz, uint32_t rate_hz)
{
    reload = clock_hz / rate_hz;
    SYST_RVR = reload - 1u;
    SYST_CVR = 0u;
    SYST_CSR = 7u;
}

uint32_t lc_timer_wait(void)
{
    const uint32_t before = periods;

    while (periods == before) {
        __asm__ volatile("wfi");
    }
    return periods;
}

uint64_t lc_timer_cycles(void)
{
    uint32_t period, left;

    do {
        period = periods;
        left = SYST_CVR;
    } while (period != periods);
    return (uint64_t)period * reload + (reload - left);
}

void lc_reset(void);

void lc_reset(void)
{
    volatile uint32_t *to = lc_data_start;
    const uint32_t *from = lc_data_load;

    CPACR |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb");
    while (to < lc_data_end) {
        *to++ = *from++;
    }
    for (to = lc_bss_start; to < lc_bss_end; ++to) {
        *to = 0u;
    }
    semihost(SYS_EXIT, main() == 0 ? APPLICATION_EXIT : RUN_TIME_ERROR);
    halt();
}

typedef struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vector_table;

/* Reset, NMI, faults, reserved, SVCall, debug, reserved, PendSV, SysTick. */
static const vector_table vectors __attribute__((section(".vectors"), used)) = {
    lc_stack_top,
    {lc_reset, halt, halt, halt, halt, halt, 0, 0, 0, 0, halt, halt, 0, halt, count_period}};
