/* $name: a wired closed-form continuous-time controller in fixed point, $neurons neurons, $synapses synapses.
 *
 * Made by liquid_control from weights with SHA-256 $digest.
 *
 * C99 in this one header: no other file, no heap, no mathematics library, no floating point except
 * in lcq_features and lcq_command, which a program may leave unused. 16-bit weights and values, 64-bit sums.
 * $bytes bytes of constants, about $stack bytes of stack. Values are Q15, 32768 is 1.0; features
 * are Q13, 8192 is 1.0, so that they reach from -4 to 4; commands are Q16, 65536 is 1 m/s or rad/s.
 *
 *     int16_t state[LCQ_NEURONS] = {0};
 *     int16_t inputs[LCQ_INPUTS];
 *     int32_t command[LCQ_OUTPUTS];
 *     if (lcq_features(features, inputs) != LCQ_OK) { keep the vehicle safe }
 *     lcq_step(inputs, state, dt_us, command);
 *
 * The equations are those of controller.h. tanh is a table of $table values with linear interpolation.
 */
#ifndef LC_CONTROLLER_Q15_H
#define LC_CONTROLLER_Q15_H

#include <stdint.h>

#define LCQ_INPUTS $inputs
#define LCQ_NEURONS $neurons
#define LCQ_OUTPUTS $outputs

enum { LCQ_OK = 0, LCQ_BAD_FEATURE = 2 };

/* Fails to compile where >> of a negative number is not arithmetic. */
typedef char lcq_arithmetic_shift[(-3 >> 1) == -2 ? 1 : -1];

/* Commands: $motors. */
static const int32_t lcq_scale[LCQ_OUTPUTS] = {$scales};
static const int32_t lcq_offset[LCQ_OUTPUTS] = {$offsets};

/* Number of synapses of each neuron; index of the source of each synapse among features, states
 * before and states after; weights of ff1, ff2, time_a and time_b. A sum of products of a map is
 * shifted right by lcq_shift to Q16, then lcq_bias is added. */
static const uint16_t lcq_synapses[LCQ_NEURONS] = {
$counts
};
static const $index lcq_source[$synapses] = {
$sources
};
static const int16_t lcq_weight[$synapses][4] = {
$weights
};
static const uint8_t lcq_shift[LCQ_NEURONS][4] = {
$shifts
};
static const int32_t lcq_bias[LCQ_NEURONS][4] = {
$biases
};

/* tanh(k / $knots), Q15. */
static const int16_t lcq_tanh_table[$table] = {
$tanh
};

/* tanh of a Q16 argument, Q15. */
static inline int32_t lcq_tanh(int64_t x)
{
    const int32_t limit = $limit;
    int32_t size = x > limit ? limit : x < -limit ? limit : (int32_t)(x < 0 ? -x : x);
    int32_t low, value;

    if (size == limit) {
        value = lcq_tanh_table[$table - 1];
    } else {
        low = lcq_tanh_table[size >> $interval];
        value = lcq_tanh_table[(size >> $interval) + 1] - low;
        value = low + ((value * (size & ((1 << $interval) - 1)) + (1 << ($interval - 1))) >> $interval);
    }
    return x < 0 ? -value : value;
}

/* The nearest integer, halves away from zero, within 16 bits. */
static inline int16_t lcq_rounded(float x)
{
    const float c = x >= 32767.0f ? 32767.0f : x <= -32767.0f ? -32767.0f : x;
    return (int16_t)(c < 0.0f ? c - 0.5f : c + 0.5f);
}

/* A feature in Q13; values beyond 4 saturate. */
static inline int16_t lcq_feature(float feature)
{
    return lcq_rounded(feature * 8192.0f);
}

/* Convert features to Q13. Returns LCQ_BAD_FEATURE if one is not finite. */
static inline int lcq_features(const float features[LCQ_INPUTS], int16_t inputs[LCQ_INPUTS])
{
    const float largest = 3.402823466e+38f;
    int i;

    for (i = 0; i < LCQ_INPUTS; ++i) {
        if (!(features[i] >= -largest && features[i] <= largest)) {
            return LCQ_BAD_FEATURE;
        }
        inputs[i] = lcq_feature(features[i]);
    }
    return LCQ_OK;
}

/* A command in m/s or rad/s; exact below 256. */
static inline float lcq_command(int32_t command)
{
    return (float)command / 65536.0f;
}

/* Time units in Q16 of some microseconds. */
static inline int64_t lcq_elapsed(uint32_t dt_us)
{
    const uint64_t ticks = ((uint64_t)dt_us * ${ticks_factor}u) >> $ticks_shift;
    return ticks > 0x7fffffffu ? 0x7fffffff : (int64_t)ticks;
}

/* New state of neuron i, Q15, from its four sums of products. */
static inline int16_t lcq_neuron(int i, const int64_t sums[4], int64_t elapsed)
{
    int64_t map[4];
    int32_t first, second, gate;
    int k;

    for (k = 0; k < 4; ++k) {
        const int shift = lcq_shift[i][k];
        map[k] = (shift ? (sums[k] + ((int64_t)1 << (shift - 1))) >> shift : sums[k]) + lcq_bias[i][k];
    }
    first = lcq_tanh(map[0]);
    second = lcq_tanh(map[1]);
    map[2] = map[2] > 0x7fffffff ? 0x7fffffff : map[2] < -0x7fffffff ? -0x7fffffff : map[2];
    gate = (32768 + lcq_tanh((((map[2] * elapsed) >> 16) + map[3]) >> 1)) >> 1;
    return (int16_t)((first * (32768 - gate) + second * gate + 16384) >> 15);
}

/* Commands of the motor neurons, Q16. */
static inline void lcq_commands(const int16_t state[LCQ_NEURONS], int32_t command[LCQ_OUTPUTS])
{
    int i;

    for (i = 0; i < LCQ_OUTPUTS; ++i) {
        const int64_t product = (int64_t)lcq_scale[i] * state[LCQ_NEURONS - LCQ_OUTPUTS + i];
        command[i] = lcq_offset[i] + (int32_t)((product + 16384) >> 15);
    }
}

/* Advance by one step. Every value of every argument is valid.
 *
 * inputs: [LCQ_INPUTS], Q13.
 * state: [LCQ_NEURONS], Q15, initially zeros; replaced with the new state.
 * dt_us: microseconds since the previous step.
 * command: [LCQ_OUTPUTS], Q16, receives the command.
 */
static inline void lcq_step(const int16_t inputs[LCQ_INPUTS], int16_t state[LCQ_NEURONS],
                            uint32_t dt_us, int32_t command[LCQ_OUTPUTS])
{
    const int64_t elapsed = lcq_elapsed(dt_us);
    int16_t values[LCQ_INPUTS + 2 * LCQ_NEURONS];
    int16_t *const before = values + LCQ_INPUTS;
    int16_t *const after = before + LCQ_NEURONS;
    int synapse = 0;
    int i;

    for (i = 0; i < LCQ_INPUTS; ++i) {
        values[i] = inputs[i];
    }
    for (i = 0; i < LCQ_NEURONS; ++i) {
        before[i] = state[i];
    }
    for (i = 0; i < LCQ_NEURONS; ++i) {
        const int end = synapse + lcq_synapses[i];
        int64_t map[4] = {0, 0, 0, 0};
        for (; synapse < end; ++synapse) {
            const int32_t source = values[lcq_source[synapse]];
            map[0] += lcq_weight[synapse][0] * source;
            map[1] += lcq_weight[synapse][1] * source;
            map[2] += lcq_weight[synapse][2] * source;
            map[3] += lcq_weight[synapse][3] * source;
        }
        after[i] = lcq_neuron(i, map, elapsed);
    }
    for (i = 0; i < LCQ_NEURONS; ++i) {
        state[i] = after[i];
    }
    lcq_commands(state, command);
}

#endif
