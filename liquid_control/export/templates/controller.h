/* $name: a wired closed-form continuous-time controller, $neurons neurons, $synapses synapses.
 *
 * Made by liquid_control from weights with SHA-256 $digest.
 *
 * C99 in this one header: no other file, no heap, no mathematics library. Needs IEEE 754 floats;
 * do not compile with -ffast-math, which would remove the checks of the input. $bytes bytes of
 * constants, about $stack bytes of stack.
 *
 *     float state[LC_NEURONS] = {0};
 *     float command[LC_OUTPUTS];
 *     if (lc_step(features, state, dt_s, command) != LC_OK) { keep the vehicle safe }
 *
 * Equations (Hasani et al. 2022, arXiv 2106.13898), layer after layer, each from the new state of
 * the preceding layer and its own previous state:
 *
 *     s  = sigmoid(time_a * dt / time_unit + time_b)
 *     h' = tanh(ff1) * (1 - s) + tanh(ff2) * s
 */
#ifndef LC_CONTROLLER_H
#define LC_CONTROLLER_H

#include <stdint.h>

#define LC_INPUTS $inputs
#define LC_NEURONS $neurons
#define LC_OUTPUTS $outputs
#define LC_TIME_UNIT_S $time_unit

enum { LC_OK = 0, LC_BAD_DT = 1, LC_BAD_FEATURE = 2, LC_BAD_STATE = 3 };

/* Commands: $motors. */
static const float lc_scale[LC_OUTPUTS] = {$scales};
static const float lc_offset[LC_OUTPUTS] = {$offsets};

/* Number of synapses of each neuron; index of the source of each synapse among features, states
 * before and states after; weights of ff1, ff2, time_a and time_b. */
static const uint16_t lc_synapses[LC_NEURONS] = {
$counts
};
static const $index lc_source[$synapses] = {
$sources
};
static const float lc_weight[$synapses][4] = {
$weights
};
static const float lc_bias[LC_NEURONS][4] = {
$biases
};

/* tanh as x P(x^2) / Q(x^2), within $tanh_error everywhere, magnitude at most 1. */
static inline float lc_tanh(float x)
{
    const float c = x > $limit ? $limit : x < -$limit ? -$limit : x;
    const float y = c * c;
    const float p = $numerator;
    const float q = $denominator;
    return c * p / q;
}

/* Advance by one step.
 *
 * features: [LC_INPUTS], finite.
 * state: [LC_NEURONS], in [-1, 1], initially zeros; replaced with the new state.
 * dt_s: seconds since the previous step, finite and >= 0.
 * command: [LC_OUTPUTS], receives the command.
 *
 * Returns LC_OK, or the code of an invalid input; state and command are then unchanged.
 */
static inline int lc_step(const float features[LC_INPUTS], float state[LC_NEURONS], float dt_s,
                          float command[LC_OUTPUTS])
{
    const float largest = 3.402823466e+38f;
    const float elapsed = dt_s / LC_TIME_UNIT_S;
    float values[LC_INPUTS + 2 * LC_NEURONS];
    float *const before = values + LC_INPUTS;
    float *const after = before + LC_NEURONS;
    int synapse = 0;
    int i;

    if (!(dt_s >= 0.0f && elapsed <= largest)) {
        return LC_BAD_DT;
    }
    for (i = 0; i < LC_INPUTS; ++i) {
        if (!(features[i] >= -largest && features[i] <= largest)) {
            return LC_BAD_FEATURE;
        }
        values[i] = features[i];
    }
    for (i = 0; i < LC_NEURONS; ++i) {
        if (!(state[i] >= -1.0f && state[i] <= 1.0f)) {
            return LC_BAD_STATE;
        }
        before[i] = state[i];
    }
    for (i = 0; i < LC_NEURONS; ++i) {
        const int end = synapse + lc_synapses[i];
        float map[4] = {lc_bias[i][0], lc_bias[i][1], lc_bias[i][2], lc_bias[i][3]};
        float first, second, gate;
        for (; synapse < end; ++synapse) {
            const float source = values[lc_source[synapse]];
            map[0] += lc_weight[synapse][0] * source;
            map[1] += lc_weight[synapse][1] * source;
            map[2] += lc_weight[synapse][2] * source;
            map[3] += lc_weight[synapse][3] * source;
        }
        first = lc_tanh(map[0]);
        second = lc_tanh(map[1]);
        gate = 0.5f + 0.5f * lc_tanh(0.5f * (map[2] * elapsed + map[3]));
        after[i] = first * (1.0f - gate) + second * gate;
    }
    for (i = 0; i < LC_NEURONS; ++i) {
        state[i] = after[i];
    }
    for (i = 0; i < LC_OUTPUTS; ++i) {
        command[i] = lc_offset[i] + lc_scale[i] * state[LC_NEURONS - LC_OUTPUTS + i];
    }
    return LC_OK;
}

#endif
