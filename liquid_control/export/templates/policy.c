/* The policy: features of a frame, elapsed time, one step of the controller; see policy.h. */
#include "policy.h"

#define LC_LIMIT 3.0f
#define LC_RATE_UNIT $rate_unit
#define LC_GRAVITY $gravity

static int is_finite(float value)
{
    return value >= -3.402823466e+38f && value <= 3.402823466e+38f;
}

static float clipped(float value)
{
    return value > LC_LIMIT ? LC_LIMIT : value < -LC_LIMIT ? -LC_LIMIT : value;
}

$scaled_code/* Mean rates in units of 2 rad/s and mean forces in g, without the 1 g of rest; zeros without samples. */
static int imu_features(const lc_imu *imu, float features[6])
{
    const float count = (float)imu->count;
    int i;

    for (i = 0; i < 3; ++i) {
        if (!is_finite(imu->rate_radps[i]) || !is_finite(imu->force_mps2[i])) {
            return LC_BAD_IMU;
        }
        features[i] = imu->count ? clipped(imu->rate_radps[i] / count / LC_RATE_UNIT) : 0.0f;
        features[3 + i] =
            imu->count ? clipped(imu->force_mps2[i] / count / LC_GRAVITY - (i == 2 ? 1.0f : 0.0f)) : 0.0f;
    }
    return LC_OK;
}

static int features_of(lc_policy *policy, const lc_observation *observation)
{
    float *const features = policy->features;
    const float *mount = 0;
$mount_code    if (imu_features(&observation->imu, features + LC_IMAGE_FEATURES) != LC_OK) {
        return LC_BAD_IMU;
    }
$inputs_code    lc_encode(observation->rgb, mount, policy->workspace, features);
    return LC_OK;
}

/* Compare a stamp with the previous one: returns 1 for a fresh start, 0 with the time between
 * them, or -1 if it does not advance. */
static int fresh(const lc_policy *policy, uint64_t stamp_ns, uint64_t *dt_ns)
{
    *dt_ns = LC_NOMINAL_DT_NS;
    if (!policy->started) {
        return 1;
    }
    if (stamp_ns <= policy->stamp_ns) {
        return policy->stamp_ns - stamp_ns > (uint64_t)LC_MAX_GAP_NS ? 1 : -1;
    }
    if (stamp_ns - policy->stamp_ns > (uint64_t)LC_MAX_GAP_NS) {
        return 1;
    }
    *dt_ns = stamp_ns - policy->stamp_ns;
    return 0;
}

static int advance(const float *features, lc_neuron *state, uint64_t dt_ns, float command[LC_OUTPUTS])
{
#ifdef LC_CORE_Q15
    int16_t inputs[LC_INPUTS];
    int32_t fixed[LC_OUTPUTS];
    int i;

    if (lcq_features(features, inputs) != LCQ_OK) {
        return LC_BAD_FEATURE;
    }
    lcq_step(inputs, state, (uint32_t)((dt_ns + 500u) / 1000u), fixed);
    for (i = 0; i < LC_OUTPUTS; ++i) {
        command[i] = (float)fixed[i] / 65536.0f;
    }
    return LC_OK;
#else
    return lc_step(features, state, (float)dt_ns / 1e9f, command);
#endif
}

void lc_policy_start(lc_policy *policy)
{
    int i;

    for (i = 0; i < LC_NEURONS; ++i) {
        policy->state[i] = 0;
    }
    policy->stamp_ns = 0;
    policy->started = 0;
}

void lc_imu_add(lc_imu *imu, const float rate_radps[3], const float force_mps2[3])
{
    int i;

    for (i = 0; i < 3; ++i) {
        imu->rate_radps[i] += rate_radps[i];
        imu->force_mps2[i] += force_mps2[i];
    }
    ++imu->count;
}

int lc_policy_step(lc_policy *policy, const lc_observation *observation, float command[LC_OUTPUTS])
{
    lc_neuron state[LC_NEURONS];
    uint64_t dt_ns;
    const int restart = fresh(policy, observation->stamp_ns, &dt_ns);
    int i, status;

    if (restart < 0) {
        return LC_BAD_STAMP;
    }
    status = features_of(policy, observation);
    if (status != LC_OK) {
        return status;
    }
    for (i = 0; i < LC_NEURONS; ++i) {
        state[i] = restart ? (lc_neuron)0 : policy->state[i];
    }
    status = advance(policy->features, state, dt_ns, command);
    if (status != LC_OK) {
        return status;
    }
    for (i = 0; i < LC_NEURONS; ++i) {
        policy->state[i] = state[i];
    }
    policy->stamp_ns = observation->stamp_ns;
    policy->started = 1;
    return LC_OK;
}
