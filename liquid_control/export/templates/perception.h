/* $name: the perception network, $layers layers, $parameters weights.
 *
 * Made by liquid_control. C99; no heap, no mathematics library, no file besides this one,
 * perception.c, perception_weights.c and controller.h. Needs IEEE 754 floats; do not compile with
 * -ffast-math. $flash bytes of weights. The order of every sum is fixed, so compilers that do not
 * contract multiplications and additions (-ffp-contract=off) give equal bits on every processor.
 */
#ifndef LC_PERCEPTION_H
#define LC_PERCEPTION_H

#include <stdint.h>

#define LC_WIDTH $width
#define LC_HEIGHT $height
#define LC_PIXEL_VALUES (3 * LC_WIDTH * LC_HEIGHT)
#define LC_IMAGE_FEATURES $features
#define LC_MOUNT_SIZE $mount

/* Floats of memory that lc_encode needs: $workspace_bytes bytes. */
#define LC_WORKSPACE $workspace

/* Compute the features of a picture.
 *
 * rgb: [LC_HEIGHT][LC_WIDTH][3], at the model's size; a larger picture must be averaged over areas.
 * mount: [LC_MOUNT_SIZE], scaled as in policy.c; unused if LC_MOUNT_SIZE is 0.
 * workspace: [LC_WORKSPACE], overwritten.
 * features: [LC_IMAGE_FEATURES], receives the features, in [-1, 1].
 */
void lc_encode(const uint8_t *rgb, const float *mount, float *workspace, float *features);

/* One layer: a convolution, or a dense layer as one of kernel 1 on one pixel. Weights are
 * [blocks of outputs][kernel row][kernel column][input channel][LC_BLOCK], biases [blocks][LC_BLOCK]. */
#define LC_BLOCK $block
#define LC_LAYERS $layers

typedef struct {
    int rows, columns, channels, kernel, stride, padding, out_rows, out_columns, outputs, relu;
    const float *weight;
    const float *bias;
} lc_layer;

extern const lc_layer lc_layers[LC_LAYERS];

#endif
