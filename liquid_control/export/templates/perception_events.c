/* The perception network by events: test each value for a change, and scatter the changes. */
#include "perception_events.h"

#include "picture.h"

/* Send a value if it moved: add its change times the weights to the sums that it reaches. */
static void send(lce_encoder *encoder, const lce_layer *layer, int place, int16_t value,
                 int32_t threshold, lce_counts *counts)
{
    int16_t *const sent = encoder->sent + layer->first_value + place;
    const int32_t change = (int32_t)value - *sent;
    const int channel = place % layer->channels;
    const int row = place / layer->channels / layer->columns + layer->padding;
    const int column = place / layer->channels % layer->columns + layer->padding;
    int y, x, o;

    ++counts->additions;
    if (change <= threshold && change >= -threshold) {
        return;
    }
    *sent = value;
    ++counts->sent;
    for (y = row % layer->stride; y < layer->kernel && y <= row; y += layer->stride) {
        const int out_row = (row - y) / layer->stride;
        if (out_row >= layer->out_rows) {
            continue;
        }
        for (x = column % layer->stride; x < layer->kernel && x <= column; x += layer->stride) {
            const int out_column = (column - x) / layer->stride;
            const int pixel = out_row * layer->out_columns + out_column;
            const int16_t *const weight =
                layer->weight + ((y * layer->kernel + x) * layer->channels + channel) * layer->outputs;
            int64_t *const sum = encoder->sums + layer->first_sum + pixel * layer->outputs;
            if (out_column >= layer->out_columns) {
                continue;
            }
            for (o = 0; o < layer->outputs; ++o) {
                sum[o] += (int64_t)weight[o] * change;
            }
            encoder->reached[layer->first_pixel + pixel] = 1;
            counts->macs += (uint32_t)layer->outputs;
        }
    }
}

/* Compute output o of a pixel: Q9 with ReLU, or Q13 in the last layer. */
static int16_t output(const lce_encoder *encoder, const lce_layer *layer, int pixel, int o)
{
    const int shift = layer->shift[o];
    const int64_t sum = encoder->sums[layer->first_sum + pixel * layer->outputs + o] + layer->bias[o];
    const int64_t value = shift ? (sum + ((int64_t)1 << (shift - 1))) >> shift : sum;

    if (!layer->relu) {
        return (int16_t)((lcq_tanh(value) + 2) >> 2);
    }
    return (int16_t)(value < 0 ? 0 : value > 32767 ? 32767 : value);
}

void lce_encoder_start(lce_encoder *encoder)
{
    int i;

    for (i = 0; i < LCE_SUMS; ++i) {
        encoder->sums[i] = 0;
    }
    for (i = 0; i < LCE_VALUES; ++i) {
        encoder->sent[i] = 0;
    }
    encoder->begun = 0;
}

void lce_encode(lce_encoder *encoder, const uint8_t *rgb, const float *mount, int32_t threshold,
                lce_counts *counts)
{
    int16_t standardised[256];
    float mean, scale;
    int index, pixel, o, i;

    lc_moments(rgb, LCE_PIXEL_VALUES, &mean, &scale);
    for (i = 0; i < 256; ++i) {
        standardised[i] = lcq_rounded(((float)i - mean) * scale * 512.0f);
    }
    for (i = 0; i < LCE_PIXELS; ++i) {
        encoder->reached[i] = (uint8_t)!encoder->begun;
    }
    encoder->begun = 1;
    for (i = 0; i < LCE_PIXEL_VALUES; ++i) {
        send(encoder, &lce_layers[0], i, standardised[rgb[i]], threshold, counts);
    }
    for (index = 0; index < LCE_LAYERS; ++index) {
        const lce_layer *const layer = &lce_layers[index];
        const lce_layer *const next = index + 1 < LCE_LAYERS ? layer + 1 : 0;
        for (pixel = 0; pixel < layer->out_rows * layer->out_columns; ++pixel) {
            if (!encoder->reached[layer->first_pixel + pixel]) {
                continue;
            }
            counts->computed += (uint32_t)layer->outputs;
            counts->additions += (uint32_t)layer->outputs;
            for (o = 0; o < layer->outputs; ++o) {
                const int16_t value = output(encoder, layer, pixel, o);
                if (next) {
                    send(encoder, next, pixel * layer->outputs + o, value, threshold, counts);
                } else {
                    encoder->features[o] = value;
                }
            }
        }
        if (index == LCE_CONVOLUTIONS - 1 && LCE_MOUNT_SIZE > 0) {
            for (i = 0; i < LCE_MOUNT_SIZE; ++i) {
                send(encoder, next, next->channels - LCE_MOUNT_SIZE + i, lcq_rounded(mount[i] * 512.0f), threshold,
                     counts);
            }
        }
    }
}
