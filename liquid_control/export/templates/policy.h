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
#include "perception.h"
#ifdef LC_CORE_Q15
#include "controller_q15.h"
typedef int16_t lc_neuron;
#else
typedef float lc_neuron;
#endif

#define LC_NOMINAL_DT_S $nominal_dt
#define LC_NOMINAL_DT_NS ${nominal_dt_ns}u
#define LC_MAX_GAP_NS ${max_gap_ns}u

/* Codes besides LC_OK, LC_BAD_DT, LC_BAD_FEATURE and LC_BAD_STATE of controller.h. */
enum { LC_BAD_STAMP = 4, LC_BAD_IMU = 5, LC_BAD_INPUT = 6 };

/* Sums over the IMU samples since the previous frame that was answered; zeros at the start. Body
 * frame: x forward, y left, z up. */
typedef struct {
    float rate_radps[3];
    float force_mps2[3];
    uint32_t count;
} lc_imu;

/* One frame.
 *
 * rgb: [LC_HEIGHT][LC_WIDTH][3], the camera's picture at the model's size.
 * stamp_ns: time of the picture, ns.
 * imu: samples since the previous answered frame; zero it after each answer.
$readings_text */
typedef struct {
    const uint8_t *rgb;
    uint64_t stamp_ns;
    lc_imu imu;
$readings_fields} lc_observation;

/* State of a policy between frames. */
typedef struct {
    lc_neuron state[LC_NEURONS];
    uint64_t stamp_ns;
    int started;
    float features[LC_INPUTS];
    float workspace[LC_WORKSPACE];
} lc_policy;

/* Start from a fresh state. */
void lc_policy_start(lc_policy *policy);

/* Add an IMU sample: angular rate in rad/s and specific force in m/s^2, +9.81 on z at rest. */
void lc_imu_add(lc_imu *imu, const float rate_radps[3], const float force_mps2[3]);

/* Compute the command for a frame.
 *
 * command: [LC_OUTPUTS], receives forward, left and up velocity in m/s and yaw rate in rad/s,
 * counter-clockwise, in the body frame without roll and pitch.
 *
 * The first frame starts from a fresh state with a dt of LC_NOMINAL_DT_S, as does a frame whose
 * stamp is more than LC_MAX_GAP_NS before or after the last. Returns LC_OK, or the code of an
 * invalid input: a stamp that does not advance, an IMU sum or a reading that is not finite.
 * The state, the clock and the command are then unchanged.
 */
int lc_policy_step(lc_policy *policy, const lc_observation *observation, float command[LC_OUTPUTS]);

#endif
