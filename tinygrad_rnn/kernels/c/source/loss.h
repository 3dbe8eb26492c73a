/* Softmax cross entropy; kernels/numpy/loss.py has the equations.

   With d = x - max(x), log(sum(exp(d))) is log1p of the sum without the largest term,
   which is 1: nothing cancels, and a small loss is as exact as a large one. */

static real largest_of(const real *x, ptrdiff_t count)
{
    real largest = x[0];
    ptrdiff_t j = 1;
    if (count >= LANES) {
        vec top = load(x, LANES);
        for (j = LANES; j + LANES <= count; j += LANES) {
            vec next = load(x + j, LANES);
            top = select(next > top, next, top);
        }
        for (ptrdiff_t i = 0; i < LANES; i++)
            largest = top[i] > largest ? top[i] : largest;
    }
    for (; j < count; j++)
        largest = x[j] > largest ? x[j] : largest;
    return largest;
}

/* exp(x - largest). In double precision it is corrected by the rounding error of the
   difference (two-sum: Moller, Quasi double-precision in floating point addition, 1965),
   without which exp would make many units of the last place of half of one. */
static inline vec exp_difference(vec x, real largest)
{
    vec d = x - largest, e = exp_of(d);
    if (sizeof(real) == sizeof(float))
        return e;
    vec rest = d - x, error = (x - (d - rest)) - (largest + rest);
    vec lowest = (vec){0} + EXP_LOWEST; /* from here on, -inf included, e is 0 */
    return e + e * select(d < lowest, (vec){0}, error);
}

/* exp(x - largest) of a row; returns their sum but for one of the largest, each of which
   is 1. The difference at the end is 0, or NaN for an infinity. */
static real exp_row(const real *x, ptrdiff_t count, real largest, real *exps)
{
    vec sum = {0};
    vec_int lane = {0}, times = {0}; /* how often the largest was seen, in each lane */
    for (integer i = 0; i < LANES; i++)
        lane[i] = i;
    for (ptrdiff_t j = 0; j < count; j += LANES) {
        ptrdiff_t left = count - j;
        vec next = load(x + j, left), e = exp_difference(next, largest);
        store(exps + j, e, left);
        vec_int is_here = lane < (integer)(left < LANES ? left : LANES);
        vec_int is_largest = next == largest;
        sum += select(is_here & ~is_largest, e, (vec){0});
        times -= is_here & is_largest; /* what holds is -1 */
    }
    integer seen = 0;
    for (ptrdiff_t i = 0; i < LANES; i++)
        seen += times[i];
    return add_lanes(sum) + (real)(seen - 1) + (largest - largest);
}

/* The losses of all rows, and what the backward needs: exps (N, V), sums (N,). */
static void cross_entropy_forward(loss_call *c)
{
    const real *weight = c->weight;
    real smoothing = (real)c->label_smoothing, weight_sum = 0;
    for (ptrdiff_t j = 0; smoothing != 0 && j < c->classes; j++)
        weight_sum += weight ? weight[j] : 1;
    for (ptrdiff_t r = 0; r < c->rows; r++) {
        const real *x = (const real *)c->logits + r * c->classes;
        real *exps = (real *)c->exps + r * c->classes, *loss = (real *)c->losses + r;
        int64_t class = c->target[r];
        int ignored = class == c->ignore_index;
        real largest = largest_of(x, c->classes);
        real sum = exp_row(x, c->classes, largest, exps);
        ((real *)c->sums)[r] = sum + 1;
        if (ignored) {
            *loss = 0;
            continue;
        }
        real log_sum = (real)log1p(sum), row_weight = weight ? weight[class] : 1;
        *loss = row_weight * (log_sum - (x[class] - largest));
        c->total += row_weight;
        if (smoothing != 0) {
            real below = 0; /* the weighted sum of x - largest */
            for (ptrdiff_t j = 0; j < c->classes; j++)
                below += (weight ? weight[j] : 1) * (x[j] - largest);
            real smooth = log_sum * weight_sum - below;
            *loss = *loss * (1 - smoothing) + smoothing / (real)c->classes * smooth;
        }
        c->loss += *loss;
    }
}

static void cross_entropy_backward(const loss_call *c)
{
    const real *weight = c->weight, *scales = c->scale;
    real smoothing = (real)c->label_smoothing, weight_sum = 0;
    for (ptrdiff_t j = 0; smoothing != 0 && j < c->classes; j++)
        weight_sum += weight ? weight[j] : 1;
    for (ptrdiff_t r = 0; r < c->rows; r++) {
        const real *exps = (const real *)c->exps + r * c->classes;
        real *g = (real *)c->g + r * c->classes;
        int64_t class = c->target[r];
        if (class == c->ignore_index) {
            memset(g, 0, (size_t)c->classes * sizeof(real));
            continue;
        }
        real scale = (real)(scales[c->scale_is_shared ? 0 : r] / c->total);
        real at_target = scale * (1 - smoothing) * (weight ? weight[class] : 1);
        real at_all = scale * (smoothing / (real)c->classes);
        real factor = (at_target + at_all * weight_sum) / ((const real *)c->sums)[r];
        for (ptrdiff_t j = 0; j < c->classes; j += LANES) {
            ptrdiff_t count = c->classes - j;
            vec x = load(exps + j, count) * factor;
            if (smoothing != 0)
                x -= at_all * (weight ? load(weight + j, count) : (vec){0} + 1);
            store(g + j, x, count);
        }
        g[class] -= at_target;
    }
}
