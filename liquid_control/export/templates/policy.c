/* The policy: features of a frame, elapsed time, one step of the controller; see policy.h. */
#include "policy.h"

static int advance(const float *features, lc_neuron *state, uint64_t dt_ns, float command[LC_OUTPUTS])
{
#ifdef LC_CORE_Q15
    int16_t inputs[LC_INPUTS];
    int32_t fixed[LC_OUTPUTS];
    int i;

    if (lcq_features(features, inputs) != LCQ_OK) {
        return LC_BAD_FEATURE;
    }
    lcq_step(inputs, state, lc_microseconds(dt_ns), fixed);
    for (i = 0; i < LC_OUTPUTS; ++i) {
        command[i] = lcq_command(fixed[i]);
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
    policy->clock.stamp_ns = 0;
    policy->clock.started = 0;
}

int lc_policy_step(lc_policy *policy, const lc_observation *observation, float command[LC_OUTPUTS])
{
    lc_neuron state[LC_NEURONS];
    float mount[LC_MOUNT_READINGS];
    uint64_t dt_ns;
    const int restart = lc_elapsed(&policy->clock, observation->stamp_ns, &dt_ns);
    int i, status;

    if (restart < 0) {
        return LC_BAD_STAMP;
    }
    status = lc_read(observation, policy->features + LC_IMAGE_FEATURES, mount);
    if (status != LC_OK) {
        return status;
    }
    lc_encode(observation->rgb, mount, policy->workspace, policy->features);
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
    policy->clock.stamp_ns = observation->stamp_ns;
    policy->clock.started = 1;
    return LC_OK;
}
