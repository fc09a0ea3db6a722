/* Self-test of the event-driven form: $steps frames against checksums of the NumPy form.
 *
 *     cc -std=c99 -O2 -ffp-contract=off events_test.c perception_events.c perception_events_weights.c \
 *         -o events_test && ./events_test
 */
#include <inttypes.h>
#include <stdio.h>

#include "perception_events.h"

#define STEPS $steps
#define OTHERS (LCQ_INPUTS - LCE_FEATURES)

static const struct {
    int32_t encoder, core;
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

static uint64_t checksum_of(int32_t encoder_threshold, int32_t core_threshold)
{
    static lce_encoder encoder;
    static lce_core core;
    static uint8_t rgb[LCE_PIXEL_VALUES];
    int16_t inputs[LCQ_INPUTS];
    int32_t command[LCQ_OUTPUTS];
    const float mount[2] = {0.25f, -0.5f};
    lce_counts counts = {0, 0, 0, 0};
    uint64_t checksum = 14695981039346656037u;
    uint32_t frame, i;

    lce_encoder_start(&encoder);
    lce_core_start(&core);
    for (frame = 0; frame < STEPS; ++frame) {
        for (i = 0; i < LCE_PIXEL_VALUES; ++i) {
            rgb[i] = (uint8_t)(value_at(i, frame) & 0xffu);
        }
        lce_encode(&encoder, rgb, mount, encoder_threshold, &counts);
        for (i = 0; i < LCE_FEATURES; ++i) {
            inputs[i] = encoder.features[i];
        }
        for (i = 0; i < OTHERS; ++i) {
            inputs[LCE_FEATURES + i] = (int16_t)((int32_t)(value_at(i, frame) & 0x3fffu) - 8192);
        }
        lce_core_step(&core, inputs, frame % 5u ? 50000u : 5000u + scrambled(frame, 0u), core_threshold, command,
                      &counts);
        for (i = 0; i < LCE_FEATURES; ++i) {
            add(&checksum, encoder.features[i]);
        }
        for (i = 0; i < LCQ_NEURONS; ++i) {
            add(&checksum, core.state[i]);
        }
        for (i = 0; i < LCQ_OUTPUTS; ++i) {
            add(&checksum, command[i]);
        }
    }
    add(&checksum, (int64_t)counts.macs);
    add(&checksum, (int64_t)counts.additions);
    add(&checksum, (int64_t)counts.sent);
    add(&checksum, (int64_t)counts.computed);
    return checksum;
}

int main(void)
{
    int failed = 0;
    unsigned k;

    for (k = 0; k < sizeof trials / sizeof trials[0]; ++k) {
        const uint64_t got = checksum_of(trials[k].encoder, trials[k].core);
        printf("thresholds %" PRId32 " %" PRId32 ": %s\n", trials[k].encoder, trials[k].core,
               got == trials[k].expected ? "equal" : "different");
        failed |= got != trials[k].expected;
    }
    printf("%lu bytes of state of the encoder, %lu of the controller\n", (unsigned long)sizeof(lce_encoder),
           (unsigned long)sizeof(lce_core));
    return failed;
}
