"""The bugs in C that `planted.py` plants, by the tests that have to notice them.

A row holds the file in kernels/c/source/, a piece of its code that stands there once,
what takes its place, and why it happens. Tests are given as in `bugs.py`.
"""

TABLE = {
    "kernels/c/test_recurrent.py": [
        ("product.h", "at.row < rows.end;", "at.row + 1 < rows.end;", "off by one row"),
        (
            "product.h",
            "panels += b->depth * vectors * LANES;",
            "panels += b->depth * LANES;",
            "the wrong panel of a packed matrix",
        ),
        (
            "product.h",
            "for (; k < depth; k++)",
            "for (; k + 1 < depth; k++)",
            "the last column of a product left out",
        ),
        ("product.h", "k > 0, sums", "0, sums", "only the last part of a product"),
        ("scan.h", "(t + s->reverse)", "t", "the states of a reversed scan"),
        (
            "api.h",
            "s->reverse ? s->steps - 1 - i : i",
            "i",
            "a reversed scan runs forwards",
        ),
        ("api.h", "t >= s->lengths[b]", "t > s->lengths[b]", "a step past the end"),
        (
            "scan.h",
            "memset(output + at, 0, bytes);",
            "memcpy(output + at, after + at, bytes);",
            "padding that is not cleared",
        ),
        (
            "scan.h",
            "room[j] = b_ih[j] + b_hh[j];",
            "room[j] = b_ih[j] + 2 * b_hh[j];",
            "a bias added twice",
        ),
        (
            "scan.h",
            "s->rows.begin * s->hidden; if (first)",
            "0; if (first)",
            "the first rows in place of those of a slice",
        ),
        ("rnn.h", "1 - h * h", "1 - h", "a square left out of a derivative"),
        (
            "lstm.h",
            "g_f = g_c * load(s->c + unit, count) * f * (1 - f);",
            "g_f = g_c * load(s->new_c + unit, count) * f * (1 - f);",
            "the wrong state of c in a gradient",
        ),
        (
            "lstm.h",
            "sigmoid_of(sums[1] + load(x + hidden, count))",
            "sigmoid_of(sums[1] + load(x + 2 * hidden, count))",
            "the wrong gate",
        ),
        (
            "gru.h",
            "(j < 2 * hidden ? b_hh[j] : 0)",
            "b_hh[j]",
            "b_hn of a GRU outside of the reset gate",
        ),
        (
            "vectors.h",
            "vec_int sign = (vec_int)x & sign_bit;",
            "vec_int sign = (vec_int)x & 0;",
            "a tanh without its sign",
        ),
    ],
    "kernels/c/test_norm.py": [
        (
            "vectors.h",
            "vec x = {0}; memcpy(&x",
            "vec x = (vec){0} + 9; memcpy(&x",
            "a tail that holds no zeros",
        ),
        ("norm.h", "variance + (real)c->eps", "variance", "a missing eps"),
        (
            "norm.h",
            "if (j < size) write_normed(",
            "if (j + 1 < size) write_normed(",
            "the last vector of a row left out",
        ),
    ],
    "kernels/c/test_loss.py": [
        (
            "loss.h",
            "(weight ? weight[class] : 1);",
            "1;",
            "a gradient without the weight of its class",
        ),
        (
            "vectors.h",
            "result * (real)0x1p-64",
            "result",
            "the smallest numbers not scaled back",
        ),
        ("loss.h", " + (largest - largest)", "", "an infinity that gets lost"),
    ],
    "kernels/c/test_embedding.py": [
        (
            "embedding.h",
            "load(to + j, size - j) + load(from + j, size - j)",
            "load(from + j, size - j)",
            "assignment for accumulation",
        )
    ],
    "kernels/c/test_optimizer.py": [
        ("optimizer.h", "g * g * new_sq", "g * new_sq", "a square left out of Adam"),
        (
            "optimizer.h",
            "(before > v) | (before != before)",
            "before > v",
            "a NaN that gets lost",
        ),
    ],
    "kernels/c/test_module.py": [
        (
            "layers.h",
            "(uint64_t)x[i] >= (uint64_t)end",
            "x[i] >= end",
            "negative ids are not checked",
        ),
        (
            "layers.h",
            "(uint64_t)x[i] >= (uint64_t)end",
            "(uint64_t)x[i] > (uint64_t)end",
            "ids off by one",
        ),
        (
            "layers.h",
            "rows.end > s->batch",
            "rows.end > s->batch + 1",
            "rows past the batch",
        ),
        (
            "arrays.h",
            "PyArray_DIM(array, i) != want->shape[i]",
            "PyArray_DIM(array, i) < want->shape[i]",
            "arrays that are too large",
        ),
        (
            "losses.h",
            "(class < 0 || class >= c->classes)",
            "class >= c->classes",
            "negative classes are not checked",
        ),
        (
            "lists.h",
            "use & WRITE && !PyArray_ISWRITEABLE(array)",
            "0",
            "arrays that are read-only are written",
        ),
    ],
}
