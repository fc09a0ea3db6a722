/* $name: what a policy reads at a frame, its clock, and the codes of refused frames.
 *
 * Made by liquid_control. C99 in this header and observation.c; no heap and no library. IMU samples
 * and readings are doubles, so that the features have the bits of the Python policy: do not compile
 * with -ffast-math, which would also remove the checks of the input.
 */
#ifndef LC_OBSERVATION_H
#define LC_OBSERVATION_H

#include <stdint.h>

#define LC_READ_FEATURES $others
#define LC_MOUNT_READINGS $mount_readings
#define LC_NOMINAL_DT_NS ${nominal_dt_ns}u
#define LC_MAX_GAP_NS ${max_gap_ns}u

/* Codes besides those of the controller. */
enum { LC_BAD_STAMP = 4, LC_BAD_IMU = 5, LC_BAD_INPUT = 6 };

/* Sums over the IMU samples since the previous frame that was answered, in their order; zeros at the
 * start. Body frame: x forward, y left, z up. */
typedef struct {
    double rate_radps[3];
    double force_mps2[3];
    uint32_t count;
} lc_imu;

/* One frame.
 *
 * rgb: [height][width][3], the camera's picture at the model's size.
 * stamp_ns: time of the picture, ns.
 * imu: samples since the previous answered frame; zero it after each answer.
$readings_text */
typedef struct {
    const uint8_t *rgb;
    uint64_t stamp_ns;
    lc_imu imu;
$readings_fields} lc_observation;

/* Stamp of the last answered frame, and whether there was one; zeros at the start. */
typedef struct {
    uint64_t stamp_ns;
    int started;
} lc_clock;

/* Add an IMU sample: angular rate in rad/s and specific force in m/s^2, +9.81 on z at rest. */
void lc_imu_add(lc_imu *imu, const double rate_radps[3], const double force_mps2[3]);

/* Compare a stamp with the last one: returns 0 with the time between them, 1 with LC_NOMINAL_DT_NS
 * for a fresh start, or -1 if the stamp does not advance. A fresh start is the first frame, and one
 * whose stamp is more than LC_MAX_GAP_NS before or after the last. */
int lc_elapsed(const lc_clock *clock, uint64_t stamp_ns, uint64_t *dt_ns);

/* Microseconds of an elapsed time, rounded to the nearest, halves up. */
static inline uint32_t lc_microseconds(uint64_t dt_ns)
{
    return (uint32_t)((dt_ns + 500u) / 1000u);
}

/* Scale what a frame has besides its picture.
 *
 * features: [LC_READ_FEATURES], receives the six features of the IMU, then the other inputs of the core.
 * mount: [LC_MOUNT_READINGS], receives pitch and field of view of the camera for the perception
 * network; zeros if the model does not take them.
 *
 * Returns 0, or LC_BAD_IMU or LC_BAD_INPUT: an IMU sum or a reading is not finite.
 */
int lc_read(const lc_observation *observation, float features[LC_READ_FEATURES],
            float mount[LC_MOUNT_READINGS]);

#endif
