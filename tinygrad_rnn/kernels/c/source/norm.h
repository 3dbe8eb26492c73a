/* Layer normalization; kernels/numpy/norm.py has the equations.

   Rows are walked by whole vectors and then by the last, partial one, so that the loop
   has no comparison but its own. The normalized row is (x - mean) * scale again in the
   backward, which costs less than writing it and reading it back. */

#define AT_ONCE 4 /* vectors, so that no sum waits for the one before it */

/* The sum of a row. */
static real sum_of(const real *x, ptrdiff_t size)
{
    vec sums[AT_ONCE] = {{0}};
    ptrdiff_t j = 0;
    for (; j + AT_ONCE * LANES <= size; j += AT_ONCE * LANES)
        UNROLL
        for (ptrdiff_t v = 0; v < AT_ONCE; v++)
            sums[v] += load(x + j + v * LANES, LANES);
    for (; j < size; j += LANES)
        sums[0] += load(x + j, size - j);
    return add_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static inline vec squared_distance(const real *x, real mean, ptrdiff_t count)
{
    vec away = load(x, count) - mean;
    return away * away;
}

/* The sum of the squares of x - mean. */
static real squares_around(const real *x, real mean, ptrdiff_t size)
{
    vec sums[AT_ONCE] = {{0}};
    ptrdiff_t j = 0;
    for (; j + AT_ONCE * LANES <= size; j += AT_ONCE * LANES)
        UNROLL
        for (ptrdiff_t v = 0; v < AT_ONCE; v++)
            sums[v] += squared_distance(x + j + v * LANES, mean, LANES);
    for (; j + LANES <= size; j += LANES)
        sums[0] += squared_distance(x + j, mean, LANES);
    real total = add_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; j < size; j++)
        total += (x[j] - mean) * (x[j] - mean);
    return total;
}

static inline void write_normed(const norm_call *c, const real *x, real mean, real scale,
                                real *out, ptrdiff_t j, ptrdiff_t count)
{
    const real *weight = c->weight, *bias = c->bias;
    vec n = (load(x + j, count) - mean) * scale;
    if (weight)
        n *= load(weight + j, count);
    if (bias)
        n += load(bias + j, count);
    store(out + j, n, count);
}

static void layer_norm_forward(const norm_call *c)
{
    ptrdiff_t size = c->size;
    for (ptrdiff_t r = 0; r < c->rows; r++) {
        const real *x = (const real *)c->x + r * size;
        real *out = (real *)c->out + r * size;
        real mean = sum_of(x, size) / (real)size;
        real variance = squares_around(x, mean, size) / (real)size;
        real scale = 1 / square_root(variance + (real)c->eps);
        ((real *)c->mean)[r] = mean;
        ((real *)c->scale)[r] = scale;
        ptrdiff_t j = 0;
        for (; j + LANES <= size; j += LANES)
            write_normed(c, x, mean, scale, out, j, LANES);
        if (j < size)
            write_normed(c, x, mean, scale, out, j, size - j);
    }
}

/* A row of the backward. */
typedef struct {
    const real *g, *x, *weight;
    real mean, scale;
} norm_row;

static inline norm_row norm_row_at(const norm_back_call *c, ptrdiff_t r)
{
    ptrdiff_t at = r * c->size;
    return (norm_row){(const real *)c->g + at, (const real *)c->x + at, c->weight,
                      ((const real *)c->mean)[r], ((const real *)c->scale)[r]};
}

/* The gradient of the normalized numbers. */
static inline vec through_weight(const norm_row *row, ptrdiff_t j, ptrdiff_t count)
{
    vec g = load(row->g + j, count);
    return row->weight ? g * load(row->weight + j, count) : g;
}

static inline vec normed_at(const norm_row *row, ptrdiff_t j, ptrdiff_t count)
{
    return (load(row->x + j, count) - row->mean) * row->scale;
}

static void layer_norm_row_back(const norm_row *row, ptrdiff_t size, real *g_x)
{
    vec sums[2] = {{0}}, products[2] = {{0}};
    ptrdiff_t j = 0;
    for (; j + 2 * LANES <= size; j += 2 * LANES)
        UNROLL
        for (ptrdiff_t v = 0; v < 2; v++) {
            vec g = through_weight(row, j + v * LANES, LANES);
            sums[v] += g;
            products[v] += g * normed_at(row, j + v * LANES, LANES);
        }
    for (; j < size; j += LANES) { /* where g is 0, so is the product */
        vec g = through_weight(row, j, size - j);
        sums[0] += g;
        products[0] += g * normed_at(row, j, size - j);
    }
    real by_mean = add_lanes(sums[0] + sums[1]) / (real)size;
    real by_variance = add_lanes(products[0] + products[1]) / (real)size;
    for (j = 0; j + LANES <= size; j += LANES) {
        vec g = through_weight(row, j, LANES) - by_mean;
        store(g_x + j, (g - normed_at(row, j, LANES) * by_variance) * row->scale, LANES);
    }
    if (j < size) {
        vec g = through_weight(row, j, size - j) - by_mean;
        g = (g - normed_at(row, j, size - j) * by_variance) * row->scale;
        store(g_x + j, g, size - j);
    }
}

static inline void add_to(real *total, vec x, ptrdiff_t count)
{
    if (total)
        store(total, load(total, count) + x, count);
}

/* Add the sums of g and of g * normed over some rows, of so many vectors of columns. */
static inline __attribute__((always_inline)) void
add_norm_sums(const norm_back_call *c, range rows, ptrdiff_t j, const int vectors,
              ptrdiff_t count)
{
    vec weight[AT_ONCE] = {{0}}, bias[AT_ONCE] = {{0}};
    for (ptrdiff_t r = rows.begin; r < rows.end; r++) {
        norm_row row = norm_row_at(c, r);
        UNROLL
        for (ptrdiff_t v = 0; v < vectors; v++) {
            vec g = load(row.g + j + v * LANES, count);
            bias[v] += g;
            weight[v] += g * normed_at(&row, j + v * LANES, count);
        }
    }
    UNROLL
    for (ptrdiff_t v = 0; v < vectors; v++) {
        real *g_weight = c->g_weight, *g_bias = c->g_bias;
        add_to(g_weight ? g_weight + j + v * LANES : NULL, weight[v], count);
        add_to(g_bias ? g_bias + j + v * LANES : NULL, bias[v], count);
    }
}

/* Block by block of rows, which are in the cache when they are read again; sums of few
   numbers first also keep rounding small. */
static void layer_norm_backward(const norm_back_call *c)
{
    enum { BLOCK = 32 };
    ptrdiff_t size = c->size;
    size_t bytes = (size_t)size * sizeof(real);
    if (c->g_weight)
        memset(c->g_weight, 0, bytes);
    if (c->g_bias)
        memset(c->g_bias, 0, bytes);
    for (ptrdiff_t start = 0; start < c->rows; start += BLOCK) {
        range rows = {start, start + BLOCK < c->rows ? start + BLOCK : c->rows};
        for (ptrdiff_t r = rows.begin; c->g_x && r < rows.end; r++) {
            norm_row row = norm_row_at(c, r);
            layer_norm_row_back(&row, size, (real *)c->g_x + r * size);
        }
        if (!c->g_weight && !c->g_bias)
            continue;
        ptrdiff_t j = 0;
        for (; j + AT_ONCE * LANES <= size; j += AT_ONCE * LANES)
            add_norm_sums(c, rows, j, AT_ONCE, LANES);
        for (; j < size; j += LANES)
            add_norm_sums(c, rows, j, 1, size - j);
    }
}

#undef AT_ONCE
