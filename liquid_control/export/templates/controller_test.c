/* Test of controller.h on the target machine.
 *
 *     cc -std=c99 -O2 controller_test.c -o controller_test
 *     ./controller_test     compare with the reference over $steps steps, then time a step
 *     ./controller_test -   read lines "dt feature ...", write lines "command ... state ..."
 */
#include <stdio.h>
#include <time.h>

#include "controller.h"

#define STEPS $steps

static const float dts[STEPS] = {$dts};
static const float features[STEPS][LC_INPUTS] = {
$features
};
static const float expected[STEPS][LC_NEURONS] = {
$expected
};

static float largest_difference(void)
{
    float state[LC_NEURONS] = {0.0f};
    float command[LC_OUTPUTS];
    float largest = 0.0f;
    int t, i;

    for (t = 0; t < STEPS; ++t) {
        if (lc_step(features[t], state, dts[t], command) != LC_OK) {
            return 2.0f;
        }
        for (i = 0; i < LC_NEURONS; ++i) {
            const float difference = state[i] - expected[t][i];
            largest = difference > largest ? difference : largest;
            largest = -difference > largest ? -difference : largest;
        }
    }
    return largest;
}

static double microseconds_a_step(void)
{
    const long repeats = 400000;
    float state[LC_NEURONS] = {0.0f};
    float command[LC_OUTPUTS] = {0.0f};
    const clock_t start = clock();
    long k;

    for (k = 0; k < repeats; ++k) {
        if (lc_step(features[k % STEPS], state, dts[k % STEPS], command) != LC_OK) {
            return -1.0;
        }
    }
    return 1e6 * (double)(clock() - start) / (double)CLOCKS_PER_SEC / (double)repeats;
}

static int process_lines(void)
{
    float state[LC_NEURONS] = {0.0f};
    float inputs[LC_INPUTS];
    float command[LC_OUTPUTS];
    float dt;
    int i, status;

    while (scanf("%f", &dt) == 1) {
        for (i = 0; i < LC_INPUTS; ++i) {
            if (scanf("%f", &inputs[i]) != 1) {
                return 1;
            }
        }
        status = lc_step(inputs, state, dt, command);
        if (status != LC_OK) {
            printf("error %d\n", status);
            continue;
        }
        for (i = 0; i < LC_OUTPUTS; ++i) {
            printf("%.9g ", (double)command[i]);
        }
        for (i = 0; i < LC_NEURONS; ++i) {
            printf("%.9g%s", (double)state[i], i + 1 < LC_NEURONS ? " " : "\n");
        }
    }
    return 0;
}

int main(int count, char **arguments)
{
    float largest;

    if (count > 1 && arguments[1][0] == '-' && arguments[1][1] == '\0') {
        return process_lines();
    }
    largest = largest_difference();
    printf("largest difference %.3g over %d steps\n", (double)largest, STEPS);
    printf("%.4f us a step\n", microseconds_a_step());
    return largest <= 1e-5f ? 0 : 1;
}
