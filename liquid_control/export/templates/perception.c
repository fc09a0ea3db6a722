/* The perception network: standardise a picture, then layer after layer; see perception.h. */
#include "perception.h"

#include "controller.h"

#define LC_FIRST_BUFFER $first
#define LC_SECOND_BUFFER $second
#define LC_CONVOLUTIONS $convolutions
#define LC_CONTRAST_FLOOR $floor

/* Mean of all pixel values, and one over their standard deviation, from exact integer sums. */
static void moments(const uint8_t *rgb, float *mean, float *scale)
{
    const uint64_t count = LC_PIXEL_VALUES;
    uint64_t sum = 0;
    uint64_t squares = 0;
    uint64_t rest, root, bit;
    float unit = (float)LC_PIXEL_VALUES;
    float deviation;
    uint32_t i;

    for (i = 0; i < LC_PIXEL_VALUES; ++i) {
        sum += rgb[i];
        squares += (uint32_t)rgb[i] * rgb[i];
    }
    *mean = (float)(sum / count) + (float)(sum % count) / (float)LC_PIXEL_VALUES;
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

/* Copy what one output pixel of a layer depends on: [kernel][kernel][channels], zeros outside.
 * The first layer reads pixels and standardises them; its `in` is not used. */
static void gather(const lc_layer *layer, const uint8_t *rgb, float mean, float scale,
                   const float *in, int row, int column, float *patch)
{
    const int top = row * layer->stride - layer->padding;
    const int left = column * layer->stride - layer->padding;
    int y, x, c;

    for (y = top; y < top + layer->kernel; ++y) {
        for (x = left; x < left + layer->kernel; ++x) {
            const int inside = y >= 0 && y < layer->rows && x >= 0 && x < layer->columns;
            const int at = inside ? (y * layer->columns + x) * layer->channels : 0;
            for (c = 0; c < layer->channels; ++c) {
                *patch++ = !inside ? 0.0f : rgb ? ((float)rgb[at + c] - mean) * scale : in[at + c];
            }
        }
    }
}

/* out[o] = bias[o] + sum over i of weight[i][o] * in[i], in blocks of outputs. */
static void multiply(const lc_layer *layer, const float *in, int count, float *out)
{
    const float *weight = layer->weight;
    const float *bias = layer->bias;
    int first, i, k;

    for (first = 0; first < layer->outputs; first += LC_BLOCK) {
        float sum[LC_BLOCK];
        for (k = 0; k < LC_BLOCK; ++k) {
            sum[k] = *bias++;
        }
        for (i = 0; i < count; ++i) {
            for (k = 0; k < LC_BLOCK; ++k) {
                sum[k] += in[i] * weight[k];
            }
            weight += LC_BLOCK;
        }
        for (k = 0; k < LC_BLOCK && first + k < layer->outputs; ++k) {
            out[first + k] = layer->relu && !(sum[k] > 0.0f) ? 0.0f : sum[k];
        }
    }
}

void lc_encode(const uint8_t *rgb, const float *mount, float *workspace, float *features)
{
    float *in = workspace + LC_FIRST_BUFFER;
    float *out = workspace;
    float *const patch = workspace + LC_FIRST_BUFFER + LC_SECOND_BUFFER;
    float mean, scale;
    int index, row, column, i;

    moments(rgb, &mean, &scale);
    for (index = 0; index < LC_LAYERS; ++index) {
        const lc_layer *const layer = &lc_layers[index];
        const int count = layer->kernel * layer->kernel * layer->channels;
        float *const before = in;
        float *pixel = out;
        if (index == LC_CONVOLUTIONS && LC_MOUNT_SIZE > 0) {
            for (i = 0; i < LC_MOUNT_SIZE; ++i) {
                in[count - LC_MOUNT_SIZE + i] = mount[i];
            }
        }
        for (row = 0; row < layer->out_rows; ++row) {
            for (column = 0; column < layer->out_columns; ++column) {
                if (index < LC_CONVOLUTIONS) {
                    gather(layer, index == 0 ? rgb : 0, mean, scale, in, row, column, patch);
                }
                multiply(layer, index < LC_CONVOLUTIONS ? patch : in, count, pixel);
                pixel += layer->outputs;
            }
        }
        in = out;
        out = before;
    }
    for (i = 0; i < LC_IMAGE_FEATURES; ++i) {
        features[i] = lc_tanh(in[i]);
    }
}
