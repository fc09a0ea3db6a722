/* $name by events: from picture, IMU and other readings to a velocity command, frame after frame.
 *
 * Made by liquid_control. C99; no heap and no library. lce_policy needs sizeof(lce_policy) bytes;
 * declare it static. Encoder and controller compute only where their inputs moved; frames, clock and
 * refusals are those of the dense policy.
 *
 *     static lce_policy policy;
 *     const lce_thresholds thresholds = {51, 1310};      0.1, 0.02
 *     lc_observation frame;
 *     float command[LCQ_OUTPUTS];
 *     lce_policy_start(&policy);
 *     for each frame { if (lce_policy_step(&policy, &frame, &thresholds, command) != LCQ_OK) { hover } }
 */
#ifndef LC_POLICY_EVENTS_H
#define LC_POLICY_EVENTS_H

#include "observation.h"
#include "perception_events.h"

/* Largest changes that are not sent: of the encoder in Q9, of the controller in Q16; zeros for the
 * dense form. They may change from frame to frame. */
typedef struct {
    int32_t encoder, core;
} lce_thresholds;

/* State of a policy between frames: features (Q13) and operations of all frames since the start
 * besides that of encoder and controller. */
typedef struct {
    lce_encoder encoder;
    lce_core core;
    lc_clock clock;
    int16_t features[LCQ_INPUTS];
    lce_counts in_encoder, in_core;
} lce_policy;

/* Start from a fresh state, with counts of zero. */
void lce_policy_start(lce_policy *policy);

/* Compute the command for a frame.
 *
 * command: [LCQ_OUTPUTS], receives forward, left and up velocity in m/s and yaw rate in rad/s,
 * counter-clockwise, in the body frame without roll and pitch; exact below 256.
 *
 * A frame for which lc_elapsed says so starts from a fresh state; counts go on. Returns LCQ_OK, or a
 * code of observation.h. Policy and command are then unchanged.
 */
int lce_policy_step(lce_policy *policy, const lc_observation *observation,
                    const lce_thresholds *thresholds, float command[LCQ_OUTPUTS]);

#endif
