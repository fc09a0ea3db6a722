/* $name: the perception network in fixed point, computed only where its inputs moved.
 *
 * Made by liquid_control. C99; no heap, no library, no file besides this one, perception_events.c,
 * perception_events_weights.c, picture.h and the headers of the controller. $event_flash bytes of
 * weights, sizeof(lce_encoder) bytes of state. Floating point is used for 256 values a picture, its
 * standardised pixels; do not compile with -ffast-math.
 *
 *     static lce_encoder encoder;
 *     lce_encoder_start(&encoder);
 *     lce_encode(&encoder, rgb, mount, threshold, &counts);      encoder.features
 *
 * Every input of a layer sends its change since it sent last when it is larger than the threshold;
 * an output is computed when one of its inputs has sent. Sums are exact, so that nothing drifts.
 */
#ifndef LC_PERCEPTION_EVENTS_H
#define LC_PERCEPTION_EVENTS_H

#include "controller_events.h"

#define LCE_WIDTH $width
#define LCE_HEIGHT $height
#define LCE_PIXEL_VALUES (3 * LCE_WIDTH * LCE_HEIGHT)
#define LCE_FEATURES $features
#define LCE_MOUNT_SIZE $mount
#define LCE_LAYERS $layers
#define LCE_CONVOLUTIONS $convolutions
#define LCE_VALUES $values
#define LCE_SUMS $sums
#define LCE_PIXELS $pixels

/* State between two pictures: sums of the outputs of all layers, what their inputs sent last (Q9),
 * the output pixels that this picture reached, and the features (Q13). */
typedef struct {
    int64_t sums[LCE_SUMS];
    int16_t sent[LCE_VALUES];
    int16_t features[LCE_FEATURES];
    uint8_t reached[LCE_PIXELS];
    uint8_t begun;
} lce_encoder;

/* One layer: a convolution, or a dense layer as one of kernel 1 on one pixel. Weights are
 * [kernel row][kernel column][input channel][output], 16 bits; a sum plus its bias is shifted right
 * to Q9, or in the last layer to Q16. first_*: its first place in the arrays of lce_encoder. */
typedef struct {
    int rows, columns, channels, kernel, stride, padding, out_rows, out_columns, outputs, relu;
    int first_value, first_sum, first_pixel;
    const int16_t *weight;
    const int64_t *bias;
    const uint8_t *shift;
} lce_layer;

extern const lce_layer lce_layers[LCE_LAYERS];

/* Start from a fresh state. */
void lce_encoder_start(lce_encoder *encoder);

/* Compute the features of a picture from those of the one before.
 *
 * rgb: [LCE_HEIGHT][LCE_WIDTH][3], at the model's size; a larger picture must be averaged over areas.
 * mount: [LCE_MOUNT_SIZE], pitch and field of view of the camera, scaled; unused if that is 0.
 * threshold: largest change that is not sent, Q9; 512 is one standard deviation of the picture.
 * counts: receives the operations of this picture in addition.
 */
void lce_encode(lce_encoder *encoder, const uint8_t *rgb, const float *mount, int32_t threshold,
                lce_counts *counts);

#endif
