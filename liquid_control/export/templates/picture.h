/* Standardisation of a picture, shared by the perception networks in floats and by events. */
#ifndef LC_PICTURE_H
#define LC_PICTURE_H

#include <stdint.h>

#define LC_CONTRAST_FLOOR $floor

/* Mean of all pixel values, and one over their standard deviation, from exact integer sums. */
static inline void lc_moments(const uint8_t *rgb, uint32_t values, float *mean, float *scale)
{
    const uint64_t count = values;
    uint64_t sum = 0;
    uint64_t squares = 0;
    uint64_t rest, root, bit;
    float unit = (float)values;
    float deviation;
    uint32_t i;

    for (i = 0; i < values; ++i) {
        sum += rgb[i];
        squares += (uint32_t)rgb[i] * rgb[i];
    }
    *mean = (float)(sum / count) + (float)(sum % count) / (float)values;
    /* count^2 times the variance, scaled by powers of four so that its root has 31 or 32 bits. */
    rest = count * squares - sum * sum;
    while (rest != 0 && rest < ((uint64_t)1 << 62)) {
        rest *= 4;
        unit *= 2.0f;
    }
    root = 0;
    for (bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
        if (rest >= root + bit) {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    deviation = (float)root / unit;
    *scale = 1.0f / (deviation > LC_CONTRAST_FLOOR ? deviation : LC_CONTRAST_FLOOR);
}

#endif
