/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with weights in pairs for cores with DSP instructions: eight outputs of one
 * row at a time, what is left two by two.
 *
 * SMLAD with a word of pairs as it is adds up 256 * sum(A x) + sum(B x), SXTB16 leaves the two B's:
 * a word of four weights needs one widening instead of two. What wraps around cancels in the
 * difference of the two sums, since |sum(A x) + bias of A| < 2^23 (the exporter has seen to that).
 */
#include "sf_dense_pairs.h"
#include "sf_dsp.h"

/* Groups of eight outputs of one row. out_end: where the last group's outputs end. words_end:
 * behind the last eight inputs that are taken together. zero_point_twice: 2 * out_zero_point + 1.
 * entry: 0: an even number of eights of inputs; 1: an odd one; 2: none. */
typedef struct eights_job {
    const int8_t *in;
    int8_t *out, *out_end;
    const int8_t *words_end, *row_end;
    int32_t zero_point_twice;
    uint32_t entry;
    const int32_t *stream;
} eights_job;

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* r0: in, r1: stream, r4-r7: sums as they are, r8-r11: sums of the B's, r2, r3, r12, lr: free. */
#define PAIR(w, x, raw, b)                     \
    "smlad " raw ", " w ", " x ", " raw "\n\t" \
    "sxtb16 " w ", " w "\n\t"                  \
    "smlad " b ", " w ", " x ", " b "\n\t"
#define PAIR_0(w, x) PAIR(w, x, "r4", "r8")
#define PAIR_1(w, x) PAIR(w, x, "r5", "r9")
#define PAIR_2(w, x) PAIR(w, x, "r6", "r10")
#define PAIR_3(w, x) PAIR(w, x, "r7", "r11")
#define WEIGHTS(w) "ldr " w ", [r1], #4\n\t"
#define INPUTS(x) "ldr " x ", [r0], #4\n\t"
/* clang-format off */
#define FIRST_FOUR                                                                                 \
    INPUTS("r2") WEIGHTS("r3") WEIGHTS("r12")                                                      \
    "sxtb16 lr, r2\n\t"                                                                            \
    PAIR_0("r3", "lr") PAIR_1("r12", "lr")                                                         \
    WEIGHTS("r3") WEIGHTS("r12")                                                                   \
    PAIR_2("r3", "lr") PAIR_3("r12", "lr")                                                         \
    "sxtb16 r2, r2, ror #8\n\t"                                                                    \
    WEIGHTS("r3") WEIGHTS("r12") WEIGHTS("lr")                                                     \
    PAIR_0("r3", "r2") PAIR_1("r12", "r2") PAIR_2("lr", "r2")
/* Loads in a row cost one cycle each and one more: the second four's first ones join in. */
#define EIGHT                                                                                      \
    FIRST_FOUR                                                                                     \
    WEIGHTS("r3") INPUTS("r12") WEIGHTS("lr")                                                      \
    PAIR_3("r3", "r2")                                                                             \
    "sxtb16 r2, r12\n\t"                                                                           \
    PAIR_0("lr", "r2")                                                                             \
    WEIGHTS("r3") WEIGHTS("lr")                                                                    \
    PAIR_1("r3", "r2") PAIR_2("lr", "r2")                                                          \
    WEIGHTS("r3") WEIGHTS("lr")                                                                    \
    PAIR_3("r3", "r2")                                                                             \
    "sxtb16 r12, r12, ror #8\n\t"                                                                  \
    PAIR_0("lr", "r12")                                                                            \
    WEIGHTS("r2") WEIGHTS("r3") WEIGHTS("lr")                                                      \
    PAIR_1("r2", "r12") PAIR_2("r3", "r12") PAIR_3("lr", "r12")
/* clang-format on */
/* r0: zero_point_twice, lr: out. Shifts take a register's lowest byte. */
#define FINISH(sum, multiplier, shift)                \
    "lsl r12, r0, " shift "\n\t"                      \
    "smmla " sum ", " sum ", " multiplier ", r12\n\t" \
    "asr " sum ", " sum ", " shift "\n\t"             \
    "ssat " sum ", #8, " sum ", asr #1\n\t"           \
    "strb " sum ", [lr], #1\n\t"
#define NEXT(shift) "ror " shift ", " shift ", #8\n\t"

/* See the portable twin. The job is copied to the stack; its entry becomes an address there.
 * `used`: the compiler would leave out an argument that no C reads. */
__attribute__((naked, noinline, used)) static const int32_t *
/* clang-format off */
eight_by_eight(const eights_job *job __attribute__((unused))) {
    __asm volatile(
        "push {r4-r11, lr}\n\t"
        "ldmia r0, {r4-r11}\n\t"
        "push {r4-r11}\n\t"
        "mov r1, r11\n\t"
        "adr.w r3, 1f\n\t"
        "cmp r10, #1\n\t"
        "blo 9f\n\t"
        "adr.w r3, 2f\n\t"
        "beq 9f\n\t"
        "adr.w r3, 3f\n\t"
        "9:\n\t"
        "adds r3, #1\n\t"
        "str r3, [sp, #24]\n\t"
        "b 8f\n\t"
        /* r2: how many inputs are left. Fewer than four: the last four again, with weights of 0. */
        "7:\n\t"
        "subs r2, #4\n\t"
        "it lt\n\t"
        "addlt r0, r2\n\t"
        FIRST_FOUR
        WEIGHTS("r3")
        PAIR_3("r3", "r2")
        "b 3f\n\t"
        /* The next group. */
        ".balign 4\n\t"
        "8:\n\t"
        "ldmia r1!, {r4-r11}\n\t"
        "ldr r0, [sp]\n\t"
        "ldr.w pc, [sp, #24]\n\t"
        ".balign 4\n\t"
        "1:\n\t"
        EIGHT
        "2:\n\t"
        EIGHT
        "ldr r2, [sp, #12]\n\t"
        "cmp r0, r2\n\t"
        "bne 1b\n\t"
        "3:\n\t"
        "ldr r2, [sp, #16]\n\t"
        "subs r2, r2, r0\n\t"
        "bne 7b\n\t"
        "sub r4, r4, r8\n\t"
        "sub r5, r5, r9\n\t"
        "sub r6, r6, r10\n\t"
        "sub r7, r7, r11\n\t"
        "asr r4, r4, #8\n\t"
        "asr r5, r5, #8\n\t"
        "asr r6, r6, #8\n\t"
        "asr r7, r7, #8\n\t"
        "ldr r0, [sp, #20]\n\t"
        "ldr lr, [sp, #4]\n\t"
        /* A register is free for a multiplier as soon as its sum is written. */
        "ldmia r1!, {r2, r3}\n\t"
        FINISH("r4", "r3", "r2") NEXT("r2")
        "ldmia r1!, {r3, r4}\n\t"
        FINISH("r8", "r3", "r2") NEXT("r2")
        FINISH("r5", "r4", "r2") NEXT("r2")
        "ldmia r1!, {r3, r4, r5}\n\t"
        FINISH("r9", "r3", "r2")
        FINISH("r6", "r5", "r4") NEXT("r4")
        "ldmia r1!, {r2, r3, r5}\n\t"
        FINISH("r10", "r2", "r4") NEXT("r4")
        FINISH("r7", "r3", "r4") NEXT("r4")
        FINISH("r11", "r5", "r4")
        "ldr r2, [sp, #8]\n\t"
        "str lr, [sp, #4]\n\t"
        "cmp lr, r2\n\t"
        "bne 8b\n\t"
        "mov r0, r1\n\t"
        "add sp, #32\n\t"
        "pop {r4-r11, pc}\n\t");
}
/* clang-format on */

static inline int32_t finish_output(int32_t sum, int32_t multiplier, uint32_t shift,
                                    int32_t zero_point_twice) {
    int32_t x;
    __asm("smmla %0, %1, %2, %3"
          : "=r"(x)
          : "r"(sum), "r"(multiplier), "r"((uint32_t)zero_point_twice << (shift & 31u)));
    return sf_ssat8(x >> (shift & 31u) >> 1);
}

/* See the portable twin. */
static inline void multiply_eight(const int8_t **in, const int32_t **weights, uint32_t *raw,
                                  uint32_t *b) {
    uint32_t x0, x1, w0, w1, w2, w3, t;
    __asm volatile("ldr %[x0], [%[in]], #4\n\t"
                   "ldr %[x1], [%[in]], #4\n\t"
                   "ldr %[w0], [%[w]], #4\n\t"
                   "ldr %[w1], [%[w]], #4\n\t"
                   "ldr %[w2], [%[w]], #4\n\t"
                   "ldr %[w3], [%[w]], #4\n\t"
                   "sxtb16 %[t], %[x0]\n\t"
                   "sxtb16 %[x0], %[x0], ror #8\n\t"
                   "smlad %[raw], %[w0], %[t], %[raw]\n\t"
                   "sxtb16 %[w0], %[w0]\n\t"
                   "smlad %[b], %[w0], %[t], %[b]\n\t"
                   "smlad %[raw], %[w1], %[x0], %[raw]\n\t"
                   "sxtb16 %[w1], %[w1]\n\t"
                   "smlad %[b], %[w1], %[x0], %[b]\n\t"
                   "sxtb16 %[t], %[x1]\n\t"
                   "sxtb16 %[x1], %[x1], ror #8\n\t"
                   "smlad %[raw], %[w2], %[t], %[raw]\n\t"
                   "sxtb16 %[w2], %[w2]\n\t"
                   "smlad %[b], %[w2], %[t], %[b]\n\t"
                   "smlad %[raw], %[w3], %[x1], %[raw]\n\t"
                   "sxtb16 %[w3], %[w3]\n\t"
                   "smlad %[b], %[w3], %[x1], %[b]\n\t"
                   : [in] "+r"(*in), [w] "+r"(*weights), [raw] "+r"(*raw), [b] "+r"(*b),
                     [x0] "=&r"(x0), [x1] "=&r"(x1), [w0] "=&r"(w0), [w1] "=&r"(w1), [w2] "=&r"(w2),
                     [w3] "=&r"(w3), [t] "=&r"(t)
                   :
                   : "memory");
}

#endif

static inline uint32_t add_pair(uint32_t weights, uint32_t x, uint32_t sum) {
    return (uint32_t)sf_smlad(weights, x, (int32_t)sum);
}

/* Four inputs times the weights of n pairs. */
static inline void multiply_four(const int8_t *in, const int32_t *weights, int32_t pairs,
                                 uint32_t *raw, uint32_t *b) {
    const uint32_t word = sf_load32(in), even = sf_sxtb16(word), odd = sf_sxtb16_ror8(word);
    for (int32_t k = 0; k < pairs; k++) {
        const uint32_t w0 = (uint32_t)weights[k], w1 = (uint32_t)weights[pairs + k];
        raw[k] = add_pair(w1, odd, add_pair(w0, even, raw[k]));
        b[k] = add_pair(sf_sxtb16(w1), odd, add_pair(sf_sxtb16(w0), even, b[k]));
    }
}

#if !(defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP)

static int32_t finish_output(int32_t sum, int32_t multiplier, uint32_t shift,
                             int32_t zero_point_twice) {
    const int32_t offset = (int32_t)((uint32_t)zero_point_twice << shift);
    const int32_t x = (int32_t)(((int64_t)sum * multiplier) >> 32) + offset;
    return sf_ssat8(x >> shift >> 1);
}

/* Eight inputs times the weights of one pair. Both pointers move on. */
static void multiply_eight(const int8_t **in, const int32_t **weights, uint32_t *raw, uint32_t *b) {
    for (int32_t i = 0; i < 2; i++, *in += 4, *weights += 2) {
        multiply_four(*in, *weights, 1, raw, b);
    }
}

/* Gives where the stream goes on. */
static const int32_t *eight_by_eight(const eights_job *all) {
    eights_job job = *all;
    for (; job.out < job.out_end; job.out += 8, job.stream += 10) {
        uint32_t sums[8];
        memcpy(sums, job.stream, sizeof sums);
        job.stream += 8;
        for (const int8_t *in = job.in; in < job.row_end; in += 4, job.stream += 8) {
            const int8_t *const last = job.row_end - 4;
            multiply_four(in < last ? in : last, job.stream, 4, sums, sums + 4);
        }
        for (int32_t o = 0; o < 8; o++) {
            const int32_t *const record = job.stream + o / 4 * 5;
            const uint32_t b = sums[4 + o / 2];
            const int32_t sum = (int32_t)(o % 2 ? b : sums[o / 2] - b) >> (o % 2 ? 0 : 8);
            const uint32_t shift = (uint32_t)record[0] >> (o % 4 * 8) & 255u;
            job.out[o] = (int8_t)finish_output(sum, record[1 + o % 4], shift, job.zero_point_twice);
        }
    }
    return job.stream;
}

#endif

/* Two outputs, or one where only that is wanted. Gives where the stream goes on. */
static const int32_t *one_pair(const int32_t *stream, const int8_t *in, int32_t inputs,
                               int32_t zero_point_twice, int8_t *out, int32_t wanted) {
    uint32_t raw = (uint32_t)stream[0], b = (uint32_t)stream[1];
    const int8_t *const end = in + inputs;
    stream += 2;
    while (end - in >= 8) {
        multiply_eight(&in, &stream, &raw, &b);
    }
    for (; in < end; in += 4, stream += 2) {
        multiply_four(end - in < 4 ? end - 4 : in, stream, 1, &raw, &b);
    }
    const uint32_t shifts = (uint32_t)stream[0];
    out[0] =
        (int8_t)finish_output((int32_t)(raw - b) >> 8, stream[1], shifts & 255u, zero_point_twice);
    if (wanted > 1) {
        out[1] = (int8_t)finish_output((int32_t)b, stream[2], shifts >> 8 & 255u, zero_point_twice);
    }
    return stream + 3;
}

/* inputs: at least 4. */
static void one_row(const sf_dense_pairs_params *restrict p, const int8_t *in, int32_t inputs,
                    int8_t *out) {
    const int32_t zero_point_twice = 2 * p->out_zero_point + 1, eights = inputs / 8;
    const int32_t *stream = p->stream;
    const int32_t paired = p->outputs & ~7;
    if (paired > 0) {
        eights_job job;
        job.in = in;
        job.stream = stream;
        job.out = out;
        job.out_end = out + paired;
        job.words_end = in + 8 * eights;
        job.row_end = in + inputs;
        job.zero_point_twice = zero_point_twice;
        job.entry = eights == 0 ? 2u : (uint32_t)eights % 2u;
        stream = eight_by_eight(&job);
    }
    for (int32_t o = paired; o < p->outputs; o += 2) {
        stream = one_pair(stream, in, inputs, zero_point_twice, out + o, p->outputs - o);
    }
}

void sf_dense_pairs_s8_dsp(const sf_dense_pairs_params *restrict p, const int8_t *in, int8_t *out) {
    for (int32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        if (p->inputs >= 4) {
            one_row(p, in, p->inputs, out);
        } else {
            int8_t word[4] SF_ALIGN(4) = {0, 0, 0, 0};
            for (int32_t i = 0; i < p->inputs; i++) {
                word[i] = in[i];
            }
            one_row(p, word, 4, out);
        }
        sf_clamp_bytes(out, p->outputs, p->activation_min, p->activation_max);
    }
}
