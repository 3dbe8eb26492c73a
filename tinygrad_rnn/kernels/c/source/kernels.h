/* The kernels, once for each float type and instruction set, and a table of them. */

/* clang-format off: vectors come first */
#include "vectors.h"
#include "product.h"
#include "linear.h"
#include "embedding.h"
#include "scan.h"
#include "rnn.h"
#include "lstm.h"
#include "gru.h"
#include "loss.h"
#include "norm.h"
#include "optimizer.h"

static const kernel_table kernels = {
    rnn_forward,
    rnn_backward,
    lstm_forward,
    lstm_backward,
    gru_forward,
    gru_backward,
    linear_forward,
    linear_backward,
    cross_entropy_forward,
    cross_entropy_backward,
    layer_norm_forward,
    layer_norm_backward,
    embedding_backward,
    sum_squares,
    scale_array,
    adam_step,
};
