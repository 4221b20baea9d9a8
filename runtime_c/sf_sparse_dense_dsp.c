/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse fully connected layer for cores with DSP instructions: one output at a time. */
#include "sf_sparse.h"

/* One row. zero_point_twice: 2 * out_zero_point + 1. */
typedef struct sparse_row {
    const int8_t *in;
    const int32_t *weights;
    const uint8_t *blocks;
    int8_t *out, *out_end;
    int32_t zero_point_twice;
} sparse_row;

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define BLOCK(w, x) SF_SPARSE_EVEN("r4", w, x, "r3") SF_SPARSE_WIDEN(w) SF_SPARSE_ODD("r4", w, x)

/* See the portable twin. r0: in, r3: free, r4: sum, r5: blocks that are left; out, out_end and
 * zero_point_twice lie on the stack. `used`: the compiler would leave out an argument that no C
 * reads. */
__attribute__((naked, noinline, used)) static void
/* clang-format off */
write_outputs(const sparse_row *row __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "ldmia r0, {r0-r5}\n\t"
        "push {r3-r5}\n\t"
        "1:\n\t"
        SF_SPARSE_WEIGHTS("r4")
        SF_SPARSE_NUMBER("r5")
        /* Carry: two blocks alone. Zero: no four after them. */
        "lsrs r5, r5, #1\n\t"
        "bcc 2f\n\t"
        SF_SPARSE_NUMBER("r6") SF_SPARSE_NUMBER("r7")
        SF_SPARSE_WEIGHTS("r10") SF_SPARSE_WEIGHTS("r11")
        SF_SPARSE_INPUTS("r6", "r0", "r6") SF_SPARSE_INPUTS("r7", "r0", "r7")
        BLOCK("r10", "r6") BLOCK("r11", "r7")
        "2:\n\t"
        "beq 4f\n\t"
        ".balign 4\n\t"
        "3:\n\t"
        SF_SPARSE_NUMBER("r6") SF_SPARSE_NUMBER("r7") SF_SPARSE_NUMBER("r8") SF_SPARSE_NUMBER("r9")
        SF_SPARSE_WEIGHTS("r10") SF_SPARSE_WEIGHTS("r11")
        SF_SPARSE_WEIGHTS("r12") SF_SPARSE_WEIGHTS("lr")
        SF_SPARSE_INPUTS("r6", "r0", "r6") SF_SPARSE_INPUTS("r7", "r0", "r7")
        SF_SPARSE_INPUTS("r8", "r0", "r8") SF_SPARSE_INPUTS("r9", "r0", "r9")
        BLOCK("r10", "r6") BLOCK("r11", "r7") BLOCK("r12", "r8") BLOCK("lr", "r9")
        "subs r5, #1\n\t"
        "bne 3b\n\t"
        "4:\n\t"
        SF_SPARSE_WEIGHTS("r6")
        SF_SPARSE_NUMBER("r7")
        "ldr r8, [sp]\n\t"
        "ldr r9, [sp, #4]\n\t"
        "ldr r10, [sp, #8]\n\t"
        "asr r4, r4, #8\n\t"
        "lsl r10, r10, r7\n\t"
        "smmla r4, r4, r6, r10\n\t"
        "asr r4, r4, r7\n\t"
        "ssat r4, #8, r4, asr #1\n\t"
        "strb r4, [r8], #1\n\t"
        "str r8, [sp]\n\t"
        "cmp r8, r9\n\t"
        "bne 1b\n\t"
        "add sp, #12\n\t"
        "pop {r4-r11, pc}\n\t");
}
/* clang-format on */

#else

static void write_outputs(const sparse_row *all) {
    sparse_row row = *all;
    while (row.out < row.out_end) {
        const int32_t sum = sf_sparse_sum(&row.weights, &row.blocks, row.in) >> 8;
        const uint32_t shift = *row.blocks++;
        const int32_t x = (int32_t)(((int64_t)sum * *row.weights++) >> 32);
        const int32_t offset = (int32_t)((uint32_t)row.zero_point_twice << shift);
        *row.out++ = (int8_t)sf_ssat8((x + offset) >> shift >> 1);
    }
}

#endif

void sf_sparse_dense_s8_dsp(const sf_sparse_params *restrict p, const int8_t *in, int8_t *out,
                            void *scratch) {
    sparse_row row;
    for (uint32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        row.in = in;
        if (p->inputs & 3) {
            sf_copy_row((int8_t *)scratch, in, p->inputs);
            row.in = (const int8_t *)scratch;
        }
        row.weights = p->weights;
        row.blocks = p->blocks;
        row.out = out;
        row.out_end = out + p->outputs;
        row.zero_point_twice = 2 * p->out_zero_point + 1;
        write_outputs(&row);
        sf_clamp_bytes(out, p->outputs, p->activation_min, p->activation_max);
    }
}
