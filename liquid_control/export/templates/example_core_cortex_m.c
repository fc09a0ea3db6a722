/* The controller alone in a 30 Hz loop on a bare Cortex-M, for features that come from elsewhere.
 *
 * The map file of this program has the size of the controller. The program runs 100 steps, prints
 * the cycles of all of them and ends; example_cortex_m.c says how to read them. The features here
 * are those of the first frame of a flight, zeros.
 */
#include "cortex_m.h"
#ifdef LC_CORE_Q15
#include "controller_q15.h"
#else
#include "controller.h"
#endif

#define CLOCK_HZ 25000000u
#define RATE_HZ 30u
#define STEPS 100

#ifdef LC_CORE_Q15
static int16_t inputs[LCQ_INPUTS];
static int16_t state[LCQ_NEURONS];
static int32_t command[LCQ_OUTPUTS];
static int step(void)
{
    lcq_step(inputs, state, 1000000u / RATE_HZ, command);
    return 0;
}
#else
static float inputs[LC_INPUTS];
static float state[LC_NEURONS];
static float command[LC_OUTPUTS];
static int step(void)
{
    return lc_step(inputs, state, 1.0f / (float)RATE_HZ, command);
}
#endif

int main(void)
{
    char text[] = "0000000 cycles\n";
    uint32_t cycles = 0;
    int k;

    lc_timer_start(CLOCK_HZ, RATE_HZ);
    for (k = 0; k < STEPS; ++k) {
        uint64_t start;

        lc_timer_wait();
        start = lc_timer_cycles();
        if (step() != 0) {
            return 1;
        }
        cycles += (uint32_t)(lc_timer_cycles() - start);
    }
    for (k = 6; k >= 0; --k) {
        text[k] = (char)('0' + cycles % 10u);
        cycles /= 10u;
    }
    lc_print(text);
    return 0;
}
