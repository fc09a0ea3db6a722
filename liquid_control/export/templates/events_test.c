/* Self-test of the event-driven policy: golden frames against checksums of the NumPy form.
 *
 *     cc -std=c99 -O2 -ffp-contract=off events_test.c policy_events.c observation.c perception_events.c \
 *         perception_events_weights.c -o events_test && ./events_test
 */
#include <inttypes.h>
#include <stdio.h>

#include "golden_frames.h"
#include "policy_events.h"

static const struct {
    lce_thresholds thresholds;
    uint64_t expected;
} trials[] = {
$trials
};

static uint32_t scrambled(uint32_t index, uint32_t phase)
{
    const uint32_t mixed = (index + 977u * phase) * 2654435761u;
    return mixed >> 16;
}

/* Some values change every third frame, the others never. */
static uint32_t value_at(uint32_t index, uint32_t frame)
{
    return scrambled(index, scrambled(index, 1u) % 4u ? 0u : frame / 3u);
}

static void add(uint64_t *checksum, int64_t value)
{
    int k;

    for (k = 0; k < 8; ++k) {
        *checksum = (*checksum ^ (((uint64_t)value >> (8 * k)) & 0xffu)) * 1099511628211u;
    }
}

static void add_counts(uint64_t *checksum, const lce_counts *counts)
{
    add(checksum, (int64_t)counts->macs);
    add(checksum, (int64_t)counts->additions);
    add(checksum, (int64_t)counts->sent);
    add(checksum, (int64_t)counts->computed);
}

static uint64_t checksum_of(const lce_thresholds *thresholds)
{
    static lce_policy policy;
    static uint8_t rgb[LCE_PIXEL_VALUES];
    float command[LCQ_OUTPUTS];
    uint64_t checksum = 14695981039346656037u;
    uint32_t frame, i;

    lce_policy_start(&policy);
    for (frame = 0; frame < FRAMES; ++frame) {
        lc_observation observation;
        int status;

        for (i = 0; i < LCE_PIXEL_VALUES; ++i) {
            rgb[i] = (uint8_t)(value_at(i, frame) & 0xffu);
        }
        fill(&frames[frame], rgb, &observation);
        status = lce_policy_step(&policy, &observation, thresholds, command);
        add(&checksum, status);
        if (status != LCQ_OK) {
            continue;
        }
        for (i = 0; i < LCQ_INPUTS; ++i) {
            add(&checksum, policy.features[i]);
        }
        for (i = 0; i < LCQ_NEURONS; ++i) {
            add(&checksum, policy.core.state[i]);
        }
        for (i = 0; i < LCQ_OUTPUTS; ++i) {
            add(&checksum, (int64_t)(command[i] * 65536.0f));
        }
    }
    add_counts(&checksum, &policy.in_encoder);
    add_counts(&checksum, &policy.in_core);
    return checksum;
}

int main(void)
{
    int failed = 0;
    unsigned k;

    for (k = 0; k < sizeof trials / sizeof trials[0]; ++k) {
        const uint64_t got = checksum_of(&trials[k].thresholds);
        printf("thresholds %" PRId32 " %" PRId32 ": %s\n", trials[k].thresholds.encoder,
               trials[k].thresholds.core, got == trials[k].expected ? "equal" : "different");
        failed |= got != trials[k].expected;
    }
    printf("%lu bytes of state of the encoder, %lu of the controller\n", (unsigned long)sizeof(lce_encoder),
           (unsigned long)sizeof(lce_core));
    return failed;
}
