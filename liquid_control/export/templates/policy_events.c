/* The event-driven policy: features of a frame, elapsed time, one step; see policy_events.h. */
#include "policy_events.h"

void lce_policy_start(lce_policy *policy)
{
    const lce_counts none = {0, 0, 0, 0};

    lce_encoder_start(&policy->encoder);
    lce_core_start(&policy->core);
    policy->clock.stamp_ns = 0;
    policy->clock.started = 0;
    policy->in_encoder = none;
    policy->in_core = none;
}

int lce_policy_step(lce_policy *policy, const lc_observation *observation,
                    const lce_thresholds *thresholds, float command[LCQ_OUTPUTS])
{
    float others[LC_READ_FEATURES], mount[LC_MOUNT_READINGS];
    int32_t fixed[LCQ_OUTPUTS];
    uint64_t dt_ns;
    const int restart = lc_elapsed(&policy->clock, observation->stamp_ns, &dt_ns);
    int i, status;

    if (restart < 0) {
        return LC_BAD_STAMP;
    }
    status = lc_read(observation, others, mount);
    if (status != LCQ_OK) {
        return status;
    }
    if (restart) {
        lce_encoder_start(&policy->encoder);
        lce_core_start(&policy->core);
    }
    lce_encode(&policy->encoder, observation->rgb, mount, thresholds->encoder, &policy->in_encoder);
    for (i = 0; i < LCQ_INPUTS; ++i) {
        policy->features[i] =
            i < LCE_FEATURES ? policy->encoder.features[i] : lcq_feature(others[i - LCE_FEATURES]);
    }
    lce_core_step(&policy->core, policy->features, lc_microseconds(dt_ns), thresholds->core, fixed,
                  &policy->in_core);
    for (i = 0; i < LCQ_OUTPUTS; ++i) {
        command[i] = lcq_command(fixed[i]);
    }
    policy->clock.stamp_ns = observation->stamp_ns;
    policy->clock.started = 1;
    return LCQ_OK;
}
