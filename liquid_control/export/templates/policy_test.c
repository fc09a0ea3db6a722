/* Self-test of the policy on the target: golden frames, in order, against the reference.
 *
 * Prints the bits of every command, then the largest differences. Output is a file on a hosted
 * system and goes to lc_print on a bare one (compiled with -ffreestanding). Equal output on two
 * machines means equal bits. Exits with status 1 if a feature or a neuron differs by more than
 * 1e-5, with LC_CORE_Q15 if a motor neuron differs by more than 2 % of its range.
 */
#include "golden_frames.h"
#include "policy.h"

#if __STDC_HOSTED__
#include <stdio.h>
static void lc_print(const char *text)
{
    fputs(text, stdout);
}
#else
void lc_print(const char *text);
#endif

static const float expected_features[FRAMES][LC_INPUTS] = {
$golden_features
};
static const float expected_states[FRAMES][LC_NEURONS] = {
$golden_states
};

static lc_policy policy;
static uint8_t picture[LC_PIXEL_VALUES];

/* Draw a picture from integers alone: a gradient, a bright trail and noise; style 0 is almost grey. */
static void draw(int style, uint8_t *rgb)
{
    uint32_t index = (uint32_t)style;
    int row, column, c;

    for (row = 0; row < LC_HEIGHT; ++row) {
        for (column = 0; column < LC_WIDTH; ++column) {
            const int below = LC_HEIGHT - row;
            const int side = column - LC_WIDTH / 2 + below - style * below / 4;
            const int trail = (side < 0 ? -side : side) * 4 < row + 8;
            for (c = 0; c < 3; ++c) {
                const uint32_t noise = index++ * 2654435761u;
                int value = (trail ? 150 - 20 * c : 40 + 25 * c) + (int)(noise >> 27);
                value += row * (style & 3) / 2 - column * (style & 1) / 4;
                value = style == 0 ? 128 + (int)(noise >> 31) : value;
                *rgb++ = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
    }
}

static void print_hex(uint32_t value)
{
    char text[10] = " ";
    int i;

    for (i = 0; i < 8; ++i) {
        text[1 + i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
    }
    text[9] = '\0';
    lc_print(text);
}

static void print_number(uint32_t value)
{
    char text[11];
    int at = 10;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    lc_print(text + at);
}

static uint32_t bits(float value)
{
    union {
        float number;
        uint32_t bits;
    } both;

    both.number = value;
    return both.bits;
}

static float larger(float largest, float difference)
{
    difference = difference < 0.0f ? -difference : difference;
    return difference > largest ? difference : largest;
}

static void print_difference(const char *what, float difference)
{
    lc_print(what);
    print_number((uint32_t)(difference * 1e9f));
    lc_print("e-9\n");
}

int main(void)
{
    float feature = 0.0f, neuron = 0.0f, motor = 0.0f;
    int wrong = 0;
    int t, i;

    lc_policy_start(&policy);
    for (t = 0; t < FRAMES; ++t) {
        lc_observation observation;
        float command[LC_OUTPUTS] = {0.0f};
        int status;

        draw(frames[t].style, picture);
        fill(&frames[t], picture, &observation);
        status = lc_policy_step(&policy, &observation, command);
        lc_print("frame ");
        print_number((uint32_t)t);
        lc_print(" status ");
        print_number((uint32_t)status);
        for (i = 0; i < LC_OUTPUTS; ++i) {
            print_hex(bits(command[i]));
        }
        lc_print("\n");
        wrong |= status != frames[t].status;
        for (i = 0; i < LC_INPUTS && status == LC_OK; ++i) {
            feature = larger(feature, policy.features[i] - expected_features[t][i]);
        }
        for (i = 0; i < LC_NEURONS && status == LC_OK; ++i) {
#ifdef LC_CORE_Q15
            const float state = (float)policy.state[i] / 32768.0f;
#else
            const float state = policy.state[i];
#endif
            neuron = larger(neuron, state - expected_states[t][i]);
            if (i >= LC_NEURONS - LC_OUTPUTS) {
                motor = larger(motor, state - expected_states[t][i]);
            }
        }
    }
    print_difference("largest difference: features ", feature);
    print_difference("largest difference: neurons ", neuron);
    print_difference("largest difference: motor neurons ", motor);
#ifdef LC_CORE_Q15
    wrong |= motor > 0.04f;
#else
    wrong |= neuron > 1e-5f;
#endif
    wrong |= feature > 1e-5f;
    lc_print(wrong ? "FAILED\n" : "passed\n");
    return wrong;
}
