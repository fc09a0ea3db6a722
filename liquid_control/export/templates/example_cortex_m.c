/* The whole policy in a 30 Hz loop on a bare Cortex-M, sleeping in between.
 *
 * take_picture stands for a camera driver, the readings for those of the flight controller. The
 * program runs ten frames, prints commands and cycles through semihosting, and ends; a program for
 * flight goes on and sends the command instead.
 *
 *     qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native \
 *         -icount shift=0 -kernel example_cortex_m.elf
 *
 * With -icount shift=0 an instruction takes 1 ns and the clock of 25 MHz 40 ns, so a cycle that is
 * printed stands for 40 instructions. QEMU does not emulate the timing of a processor.
 */
#include "cortex_m.h"
#include "policy.h"

#define CLOCK_HZ 25000000u
#define RATE_HZ 30u
#define FRAMES 10u

static lc_policy policy;
static uint8_t picture[LC_PIXEL_VALUES];

static void take_picture(uint32_t frame)
{
    uint32_t i;

    for (i = 0; i < LC_PIXEL_VALUES; ++i) {
        picture[i] = (uint8_t)(i / (3u * LC_WIDTH) * 4u + i % 3u * 20u + frame);
    }
}

static void print_number(const char *name, int32_t value)
{
    char text[12];
    int at = 11;
    uint32_t left = value < 0 ? (uint32_t)-value : (uint32_t)value;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + left % 10u);
        left /= 10u;
    } while (left != 0u);
    if (value < 0) {
        text[--at] = '-';
    }
    lc_print(name);
    lc_print(text + at);
}

int main(void)
{
    const double rate_radps[3] = {0.0, 0.0, 0.0};
    const double force_mps2[3] = {0.0, 0.0, 9.81};
    uint32_t period = 0;
    int i;

    lc_policy_start(&policy);
    lc_timer_start(CLOCK_HZ, RATE_HZ);
    while (period < FRAMES) {
        lc_observation frame = {0};
        float command[LC_OUTPUTS];
        uint64_t start;

        period = lc_timer_wait();
        take_picture(period);
        frame.rgb = picture;
        frame.stamp_ns = (uint64_t)period * 1000000000u / RATE_HZ;
$constants        lc_imu_add(&frame.imu, rate_radps, force_mps2);
        start = lc_timer_cycles();
        if (lc_policy_step(&policy, &frame, command) != LC_OK) {
            return 1;
        }
        print_number("frame ", (int32_t)period);
        print_number(" cycles ", (int32_t)(lc_timer_cycles() - start));
        for (i = 0; i < LC_OUTPUTS; ++i) {
            print_number(i == 0 ? " command, thousandths: " : " ", (int32_t)(1000.0f * command[i]));
        }
        lc_print("\n");
    }
    return 0;
}
