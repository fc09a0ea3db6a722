/* Reading of a frame: IMU averages, other readings, elapsed time; see observation.h. */
#include "observation.h"

static int is_finite(double value)
{
    return value >= -1.7976931348623157e308 && value <= 1.7976931348623157e308;
}

static float clipped(double value, double limit)
{
    return (float)(value > limit ? limit : value < -limit ? -limit : value);
}

$scaled_code/* Mean rates in units of 2 rad/s and mean forces in g, without the 1 g of rest; zeros without samples. */
static int imu_features(const lc_imu *imu, float features[6])
{
    const double count = imu->count ? (double)imu->count : 1.0;
    int i;

    for (i = 0; i < 3; ++i) {
        const double rest = imu->count && i == 2 ? 1.0 : 0.0;
        if (!is_finite(imu->rate_radps[i]) || !is_finite(imu->force_mps2[i])) {
            return LC_BAD_IMU;
        }
        features[i] = clipped(imu->rate_radps[i] / count / $rate_unit, $imu_limit);
        features[3 + i] = clipped(imu->force_mps2[i] / count / $gravity - rest, $imu_limit);
    }
    return 0;
}

void lc_imu_add(lc_imu *imu, const double rate_radps[3], const double force_mps2[3])
{
    int i;

    for (i = 0; i < 3; ++i) {
        imu->rate_radps[i] += rate_radps[i];
        imu->force_mps2[i] += force_mps2[i];
    }
    ++imu->count;
}

int lc_elapsed(const lc_clock *clock, uint64_t stamp_ns, uint64_t *dt_ns)
{
    *dt_ns = LC_NOMINAL_DT_NS;
    if (!clock->started) {
        return 1;
    }
    if (stamp_ns <= clock->stamp_ns) {
        return clock->stamp_ns - stamp_ns > (uint64_t)LC_MAX_GAP_NS ? 1 : -1;
    }
    if (stamp_ns - clock->stamp_ns > (uint64_t)LC_MAX_GAP_NS) {
        return 1;
    }
    *dt_ns = stamp_ns - clock->stamp_ns;
    return 0;
}

int lc_read(const lc_observation *observation, float features[LC_READ_FEATURES],
            float mount[LC_MOUNT_READINGS])
{
$mount_code    if (imu_features(&observation->imu, features) != 0) {
        return LC_BAD_IMU;
    }
$inputs_code    return 0;
}
