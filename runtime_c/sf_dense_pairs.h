/* SPDX-License-Identifier: Apache-2.0 */
/* How the stream of a fully connected layer with weights in pairs is cut; shrinkfit/write/
 * pack_dense.py writes it. Private to the kernels.
 *
 * Outputs go in groups of eight; what is left goes two by two, the last one maybe alone.
 * A group of 2 n outputs, the outputs 2 k (A) and 2 k + 1 (B) in pair k, is
 *   n words: 256 * bias of A + bias of B; n words: bias of B;
 *   per four inputs: n words with inputs 0 and 2, n words with inputs 1 and 3, where one int16 is
 *   256 * weight of A + weight of B;
 *   per four outputs: a word with how far each is shifted right less 33, then their multipliers.
 * Where the inputs are no whole words the last word is that of the row's last four bytes, and the
 * weights of what was already taken are 0. */
#ifndef SF_DENSE_PAIRS_H
#define SF_DENSE_PAIRS_H

#include "sf_internal.h"

#endif
