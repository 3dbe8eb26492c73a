/* Layer normalization; kernels/numpy/norm.py has the equations. */

static real sum_of(const real *x, ptrdiff_t count)
{
    vec even = {0}, odd = {0};
    for (ptrdiff_t j = 0; j < count; j += 2 * LANES) {
        even += load(x + j, count - j);
        if (j + LANES < count)
            odd += load(x + j + LANES, count - j - LANES);
    }
    return add_lanes(even + odd);
}

static real dot(const real *x, const real *y, ptrdiff_t count)
{
    vec even = {0}, odd = {0};
    for (ptrdiff_t j = 0; j < count; j += 2 * LANES) {
        even += load(x + j, count - j) * load(y + j, count - j);
        if (j + LANES < count) {
            ptrdiff_t k = j + LANES;
            odd += load(x + k, count - k) * load(y + k, count - k);
        }
    }
    return add_lanes(even + odd);
}

static void layer_norm_forward(const norm_call *c)
{
    ptrdiff_t size = c->size;
    const real *weight = c->weight, *bias = c->bias;
    for (ptrdiff_t r = 0; r < c->rows; r++) {
        const real *x = (const real *)c->x + r * size;
        real *normed = (real *)c->normed + r * size, *out = (real *)c->out + r * size;
        real mean = sum_of(x, size) / (real)size;
        for (ptrdiff_t j = 0; j < size; j += LANES)
            store(normed + j, load(x + j, size - j) - mean, size - j);
        real variance = dot(normed, normed, size) / (real)size;
        real scale = 1 / square_root(variance + (real)c->eps);
        ((real *)c->scale)[r] = scale;
        for (ptrdiff_t j = 0; j < size; j += LANES) {
            ptrdiff_t count = size - j;
            vec n = load(normed + j, count) * scale;
            store(normed + j, n, count);
            if (weight)
                n *= load(weight + j, count);
            if (bias)
                n += load(bias + j, count);
            store(out + j, n, count);
        }
    }
}

/* The sums over blocks of rows of g and of g * normed, added up block by block. */
static void layer_norm_sums(const norm_back_call *c)
{
    enum { BLOCK = 64 };
    ptrdiff_t size = c->size;
    for (ptrdiff_t j = 0; j < size; j += LANES) {
        ptrdiff_t count = size - j;
        vec weight = {0}, bias = {0};
        for (ptrdiff_t start = 0; start < c->rows; start += BLOCK) {
            ptrdiff_t stop = start + BLOCK < c->rows ? start + BLOCK : c->rows;
            vec block_weight = {0}, block_bias = {0};
            for (ptrdiff_t r = start; r < stop; r++) {
                vec g = load((const real *)c->g + r * size + j, count);
                block_bias += g;
                block_weight += g * load((const real *)c->normed + r * size + j, count);
            }
            weight += block_weight;
            bias += block_bias;
        }
        if (c->g_weight)
            store((real *)c->g_weight + j, weight, count);
        if (c->g_bias)
            store((real *)c->g_bias + j, bias, count);
    }
}

static void layer_norm_backward(const norm_back_call *c)
{
    ptrdiff_t size = c->size;
    const real *weight = c->weight;
    if (c->g_weight || c->g_bias)
        layer_norm_sums(c);
    for (ptrdiff_t r = 0; c->g_x && r < c->rows; r++) {
        const real *g = (const real *)c->g + r * size;
        const real *normed = (const real *)c->normed + r * size;
        real *g_x = (real *)c->g_x + r * size, scale = ((const real *)c->scale)[r];
        for (ptrdiff_t j = 0; j < size; j += LANES) {
            vec x = load(g + j, size - j);
            if (weight)
                x *= load(weight + j, size - j);
            store(g_x + j, x, size - j);
        }
        real by_mean = sum_of(g_x, size) / (real)size;
        real by_variance = dot(g_x, normed, size) / (real)size;
        for (ptrdiff_t j = 0; j < size; j += LANES) {
            ptrdiff_t count = size - j;
            vec x = load(g_x + j, count) - by_mean;
            x -= load(normed + j, count) * by_variance;
            store(g_x + j, x * scale, count);
        }
    }
}
