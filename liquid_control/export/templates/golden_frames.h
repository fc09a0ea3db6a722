/* $name: golden frames of the self-tests, in order. */
#ifndef LC_GOLDEN_FRAMES_H
#define LC_GOLDEN_FRAMES_H

#include "observation.h"

#define FRAMES $frames

typedef struct {
    uint64_t stamp_ns;
    int status, style;
    double readings[$readings];
} golden_frame;

/* Readings: sums of rate and force, number of samples$reading_names. */
static const golden_frame frames[FRAMES] = {
$frame_rows
};

static void fill(const golden_frame *frame, const uint8_t *rgb, lc_observation *observation)
{
    const double *reading = frame->readings;
    int i;

    for (i = 0; i < 3; ++i) {
        observation->imu.rate_radps[i] = reading[i];
        observation->imu.force_mps2[i] = reading[3 + i];
    }
    observation->imu.count = (uint32_t)reading[6];
$fill    observation->rgb = rgb;
    observation->stamp_ns = frame->stamp_ns;
}

#endif
