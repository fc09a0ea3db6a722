/* A 30 Hz loop on a companion computer with POSIX: frames from standard input, commands to output.
 *
 *     ffmpeg -i flight.mp4 -vf scale=$width:$height:flags=area -f rawvideo -pix_fmt rgb24 - | ./example_loop
 *
 * Replace the readings that are constants here with those of the autopilot.
 */
#define _POSIX_C_SOURCE 200112L

#include <stdio.h>
#include <time.h>

#include "policy.h"

#define PERIOD_NS 33333333L

static lc_policy policy;
static uint8_t picture[LC_PIXEL_VALUES];

int main(void)
{
    const double rate_radps[3] = {0.0, 0.0, 0.0};
    const double force_mps2[3] = {0.0, 0.0, 9.81};
    struct timespec due;

    lc_policy_start(&policy);
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (fread(picture, 1, sizeof picture, stdin) == sizeof picture) {
        lc_observation frame = {0};
        float command[LC_OUTPUTS];
        struct timespec now;
        int status;

        clock_gettime(CLOCK_MONOTONIC, &now);
        frame.rgb = picture;
        frame.stamp_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
$constants        lc_imu_add(&frame.imu, rate_radps, force_mps2);
        status = lc_policy_step(&policy, &frame, command);
        if (status == LC_OK) {
            printf("%.4f %.4f %.4f %.4f\n", (double)command[0], (double)command[1], (double)command[2],
                   (double)command[3]);
        } else {
            printf("hover: refused with code %d\n", status);
        }
        due.tv_nsec += PERIOD_NS;
        if (due.tv_nsec >= 1000000000L) {
            due.tv_nsec -= 1000000000L;
            ++due.tv_sec;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, 0) != 0) {
        }
    }
    return 0;
}
