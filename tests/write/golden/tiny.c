/* Written by shrinkfit from the model "tiny * / "net"". Do not edit: export again. */
#include <stddef.h>

#include "tiny.h"
#include "sf_select.h"
#include "tiny_weights.h"

#if SF_FORMAT_VERSION != 2
#error "tiny.c was written for another version of shrinkfit's runtime: export the model again"
#endif

const char *const tiny_labels[3] = {
    "yes",
    "n\042o",
    "na\303\257ve\077",
};

int8_t *tiny_input(void *arena) {
    return (int8_t *)arena + 0;
}

const int8_t *tiny_output(const void *arena) {
    return (const int8_t *)arena + 8;
}

sf_status tiny_run(void *arena) {
    int8_t *const at = (int8_t *)arena;
    if (arena == NULL) {
        return SF_ERROR_NULL;
    }
    if ((uintptr_t)arena % 8 != 0) {
        return SF_ERROR_ALIGNMENT;
    }
    sf_dense_pairs(&tiny_op_0, at + 0, at + 8); /* op/0: 6 -> 3 */
    return SF_OK;
}
