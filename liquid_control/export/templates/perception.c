/* The perception network: standardise a picture, then layer after layer; see perception.h. */
#include "perception.h"

#include "controller.h"
#include "picture.h"

#define LC_FIRST_BUFFER $first
#define LC_SECOND_BUFFER $second
#define LC_CONVOLUTIONS $convolutions

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

    lc_moments(rgb, LC_PIXEL_VALUES, &mean, &scale);
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
