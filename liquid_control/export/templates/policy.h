/* $name: from picture, IMU and other readings to a velocity command, frame after frame.
 *
 * Made by liquid_control. C99; no heap and no library: a compiler may call memcpy and memset.
 * Define LC_CORE_Q15 to run the controller in fixed point (controller_q15.h) instead of float32
 * (controller.h). lc_policy needs sizeof(lc_policy) bytes, about $policy_bytes; declare it static.
 *
 *     static lc_policy policy;
 *     lc_observation frame;
 *     float command[LC_OUTPUTS];
 *     lc_policy_start(&policy);
 *     for each frame { if (lc_policy_step(&policy, &frame, command) != LC_OK) { hover } }
 */
#ifndef LC_POLICY_H
#define LC_POLICY_H

#include "controller.h"
#include "observation.h"
#include "perception.h"
#ifdef LC_CORE_Q15
#include "controller_q15.h"
typedef int16_t lc_neuron;
#else
typedef float lc_neuron;
#endif

/* State of a policy between frames. */
typedef struct {
    lc_neuron state[LC_NEURONS];
    lc_clock clock;
    float features[LC_INPUTS];
    float workspace[LC_WORKSPACE];
} lc_policy;

/* Start from a fresh state. */
void lc_policy_start(lc_policy *policy);

/* Compute the command for a frame.
 *
 * command: [LC_OUTPUTS], receives forward, left and up velocity in m/s and yaw rate in rad/s,
 * counter-clockwise, in the body frame without roll and pitch.
 *
 * A frame for which lc_elapsed says so starts from a fresh state. Returns LC_OK, or the code of an
 * invalid input, of controller.h or observation.h: a stamp that does not advance, an IMU sum or a
 * reading that is not finite. The state, the clock and the command are then unchanged.
 */
int lc_policy_step(lc_policy *policy, const lc_observation *observation, float command[LC_OUTPUTS]);

#endif
