/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse 1x1 convolution for cores with DSP instructions: one output of two pixels at a time. An
 * odd last pixel is both. */
#include "sf_sparse.h"

/* Two pixels. zero_point_twice: 2 * out_zero_point + 1. */
typedef struct sparse_pixels {
    const int8_t *in_0;
    const int32_t *weights;
    const uint8_t *blocks;
    const int8_t *in_1;
    int8_t *out_0, *out_1, *out_end; /* out_end: of pixel 0 */
    int32_t zero_point_twice;
} sparse_pixels;

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* clang-format off */
#define TWO_BLOCKS                                                                                 \
    SF_SPARSE_NUMBER("r7") SF_SPARSE_NUMBER("r8")                                                  \
    SF_SPARSE_WEIGHTS("r9") SF_SPARSE_WEIGHTS("r10")                                               \
    SF_SPARSE_INPUTS("r11", "r0", "r7") SF_SPARSE_INPUTS("r12", "r0", "r8")                        \
    SF_SPARSE_INPUTS("r7", "r3", "r7") SF_SPARSE_INPUTS("r8", "r3", "r8")                          \
    SF_SPARSE_EVEN("r4", "r9", "r11", "lr") SF_SPARSE_EVEN("r5", "r9", "r7", "lr")                 \
    SF_SPARSE_WIDEN("r9")                                                                          \
    SF_SPARSE_ODD("r4", "r9", "r11") SF_SPARSE_ODD("r5", "r9", "r7")                               \
    SF_SPARSE_EVEN("r4", "r10", "r12", "lr") SF_SPARSE_EVEN("r5", "r10", "r8", "lr")               \
    SF_SPARSE_WIDEN("r10")                                                                         \
    SF_SPARSE_ODD("r4", "r10", "r12") SF_SPARSE_ODD("r5", "r10", "r8")
/* clang-format on */
/* r8: multiplier, r9: shift, r10: offset. Twice the sum, as 256 * it is known. */
#define FINISH(sum, out)                         \
    "asr " sum ", " sum ", #7\n\t"               \
    "smmulr " sum ", " sum ", r8\n\t"            \
    "add " sum ", " sum ", " sum ", asr #31\n\t" \
    "add " sum ", " sum ", r10\n\t"              \
    "asr " sum ", " sum ", r9\n\t"               \
    "ssat " sum ", #8, " sum ", asr #1\n\t"      \
    "strb " sum ", [" out "], #1\n\t"

/* See the portable twin. r0, r3: the pixels, r4, r5: their sums, r6: blocks that are left; the
 * outputs, out_end and zero_point_twice lie on the stack. `used`: the compiler would leave out an
 * argument that no C reads. */
__attribute__((naked, noinline, used)) static void
/* clang-format off */
write_outputs(const sparse_pixels *pixels __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "ldmia r0, {r0-r7}\n\t"
        "push {r4-r7}\n\t"
        "1:\n\t"
        SF_SPARSE_WEIGHTS("r4")
        SF_SPARSE_NUMBER("r6")
        "mov r5, r4\n\t"
        /* Carry: two blocks alone. Zero: no four after them. */
        "lsrs r6, r6, #1\n\t"
        "bcc 2f\n\t"
        TWO_BLOCKS
        "2:\n\t"
        "beq 4f\n\t"
        ".balign 4\n\t"
        "3:\n\t"
        TWO_BLOCKS
        TWO_BLOCKS
        "subs r6, #1\n\t"
        "bne 3b\n\t"
        "4:\n\t"
        SF_SPARSE_WEIGHTS("r8")
        SF_SPARSE_NUMBER("r9")
        "ldr r10, [sp, #12]\n\t"
        "ldr r11, [sp]\n\t"
        "ldr r12, [sp, #4]\n\t"
        "ldr lr, [sp, #8]\n\t"
        "lsl r10, r10, r9\n\t"
        FINISH("r4", "r11")
        FINISH("r5", "r12")
        "str r11, [sp]\n\t"
        "str r12, [sp, #4]\n\t"
        "cmp r11, lr\n\t"
        "bne 1b\n\t"
        "add sp, #16\n\t"
        "pop {r4-r11, pc}\n\t");
}
/* clang-format on */

#else

static void write_outputs(const sparse_pixels *pixels) {
    const int8_t *const in[2] = {pixels->in_0, pixels->in_1};
    const int32_t outputs = (int32_t)(pixels->out_end - pixels->out_0);
    for (int32_t i = 0; i < 2; i++) {
        const int32_t *weights = pixels->weights;
        const uint8_t *blocks = pixels->blocks;
        int8_t *const out = i ? pixels->out_1 : pixels->out_0;
        for (int32_t o = 0; o < outputs; o++) {
            const int32_t twice = sf_sparse_sum(&weights, &blocks, in[i]) >> 7;
            const int32_t x = sf_smmulr(twice, *weights++);
            const uint32_t shift = *blocks++;
            const int32_t offset = (int32_t)((uint32_t)pixels->zero_point_twice << shift);
            out[o] = (int8_t)sf_ssat8((x + (x >> 31) + offset) >> shift >> 1);
        }
    }
}

#endif

void sf_sparse_conv2d_s8_dsp(const sf_sparse_params *restrict p, const int8_t *in, int8_t *out,
                             void *scratch) {
    int8_t *const copy_0 = (int8_t *)scratch, *const copy_1 = copy_0 + ((p->inputs + 3) & ~3);
    const int32_t pair_outputs = 2 * p->outputs;
    sparse_pixels pixels;
    pixels.in_0 = copy_0;
    pixels.weights = p->weights;
    pixels.blocks = p->blocks;
    pixels.zero_point_twice = 2 * p->out_zero_point + 1;
    for (uint32_t r = 0; r < p->rows; r += 2) {
        const int is_pair = r + 1 < p->rows;
        sf_copy_row(copy_0, in, p->inputs);
        pixels.in_1 = is_pair ? copy_1 : copy_0;
        if (is_pair) {
            sf_copy_row(copy_1, in + p->inputs, p->inputs);
        }
        pixels.out_0 = out;
        pixels.out_end = out + p->outputs;
        pixels.out_1 = is_pair ? pixels.out_end : out;
        write_outputs(&pixels);
        sf_clamp_bytes(out, is_pair ? pair_outputs : p->outputs, p->activation_min,
                       p->activation_max);
        in += 2 * p->inputs;
        out += pair_outputs;
    }
}
