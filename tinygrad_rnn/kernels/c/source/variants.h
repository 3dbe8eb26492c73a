#ifndef TINYGRAD_RNN_VARIANTS
#define TINYGRAD_RNN_VARIANTS

#include "api.h"

typedef struct {
    const char *name;
    const kernel_table *tables[2]; /* float32, float64 */
} instruction_set;

/* Best first; the last has no name. */
extern const instruction_set instruction_sets[];

/* Whether this processor can run the kernels of an instruction set. */
int is_supported(const char *name);

#endif
