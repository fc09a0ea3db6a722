/* $name: the controller of controller_q15.h, computed only where its inputs moved.
 *
 * Made by liquid_control. C99 in this header and controller_q15.h: no heap, no library, no floating
 * point. $event_bytes bytes of constants besides those of controller_q15.h; sizeof(lce_core) bytes
 * of state.
 *
 *     lce_core core;
 *     lce_counts counts = {0, 0, 0, 0};
 *     lce_core_start(&core);
 *     lce_core_step(&core, inputs, dt_us, threshold, command, &counts);
 *
 * A feature, a neuron and the elapsed time send their change since they sent last when it is larger
 * than the threshold; a neuron is computed when a sum of it or the elapsed time has changed. Sums
 * are exact, so that nothing drifts. With a threshold of 0 the states are those of lcq_step.
 */
#ifndef LC_CONTROLLER_EVENTS_H
#define LC_CONTROLLER_EVENTS_H

#include "controller_q15.h"

#define LCE_SOURCES (LCQ_INPUTS + LCQ_NEURONS)
#define LCE_CORE_LAYERS $core_layers

/* Operations so far: multiply-accumulates, additions without a product, values sent, and neurons
 * or activations computed. */
typedef struct {
    uint64_t macs, additions, sent, computed;
} lce_counts;

/* State between two steps: what each source sent last (Q13, Q15), the sums of products of each
 * neuron, its state (Q15), whether a sum has changed since it was computed, and the elapsed time
 * that was sent last (Q16; -1 at the start). */
typedef struct {
    int64_t sums[LCQ_NEURONS][4];
    int64_t elapsed;
    int16_t sent[LCE_SOURCES];
    int16_t state[LCQ_NEURONS];
    uint8_t waiting[LCQ_NEURONS];
} lce_core;

/* End of each layer in the neurons; end of each source's synapses in the two tables below: the
 * target of a synapse, and its place in lcq_weight. */
static const uint16_t lce_layer_end[LCE_CORE_LAYERS] = {$layer_ends};
static const uint16_t lce_outgoing_end[LCE_SOURCES] = {
$outgoing_ends
};
static const uint16_t lce_target[$synapses] = {
$targets
};
static const uint16_t lce_place[$synapses] = {
$places
};

/* Start from a fresh state. */
static inline void lce_core_start(lce_core *core)
{
    int i, k;

    for (i = 0; i < LCE_SOURCES; ++i) {
        core->sent[i] = 0;
    }
    for (i = 0; i < LCQ_NEURONS; ++i) {
        core->state[i] = 0;
        core->waiting[i] = 1;
        for (k = 0; k < 4; ++k) {
            core->sums[i][k] = 0;
        }
    }
    core->elapsed = -1;
}

/* Send the value of a source if it moved by more than the threshold. */
static inline void lce_send(lce_core *core, int source, int16_t value, int32_t threshold, lce_counts *counts)
{
    const int32_t change = (int32_t)value - core->sent[source];
    int synapse = source ? lce_outgoing_end[source - 1] : 0;
    const int end = lce_outgoing_end[source];
    int k;

    if (change <= threshold && change >= -threshold) {
        return;
    }
    core->sent[source] = value;
    counts->macs += 4u * (uint32_t)(end - synapse);
    ++counts->sent;
    for (; synapse < end; ++synapse) {
        int64_t *const sums = core->sums[lce_target[synapse]];
        for (k = 0; k < 4; ++k) {
            sums[k] += (int64_t)lcq_weight[lce_place[synapse]][k] * change;
        }
        core->waiting[lce_target[synapse]] = 1;
    }
}

/* Advance by one step.
 *
 * inputs: [LCQ_INPUTS], Q13.
 * dt_us: microseconds since the previous step.
 * threshold: largest change that is not sent, Q16, from 0 to 4; 65536 is 1 for features and
 * states, and one time unit.
 * command: [LCQ_OUTPUTS], Q16, receives the command.
 * counts: receives the operations of this step in addition.
 */
static inline void lce_core_step(lce_core *core, const int16_t inputs[LCQ_INPUTS], uint32_t dt_us,
                                 int32_t threshold, int32_t command[LCQ_OUTPUTS], lce_counts *counts)
{
    const int64_t elapsed = lcq_elapsed(dt_us);
    const int64_t moved = elapsed - core->elapsed;
    const int all = core->elapsed < 0 || moved > threshold || moved < -threshold;
    int i = 0;
    int layer, first;

    core->elapsed = all ? elapsed : core->elapsed;
    counts->additions += LCQ_INPUTS + 1;
    for (i = 0; i < LCQ_INPUTS; ++i) {
        lce_send(core, i, inputs[i], threshold >> 3, counts);
    }
    for (layer = 0; layer < LCE_CORE_LAYERS; ++layer) {
        first = layer ? lce_layer_end[layer - 1] : 0;
        for (i = first; i < lce_layer_end[layer]; ++i) {
            if (all || core->waiting[i]) {
                core->state[i] = lcq_neuron(i, (const int64_t *)core->sums[i], core->elapsed);
                counts->macs += 3;
                counts->additions += 6;
                ++counts->computed;
            }
            core->waiting[i] = 0;
        }
        for (i = first; i < lce_layer_end[layer]; ++i) {
            lce_send(core, LCQ_INPUTS + i, core->state[i], threshold >> 1, counts);
        }
    }
    lcq_commands(core->state, command);
}

#endif
