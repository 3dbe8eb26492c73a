/* What a training step does to an array; kernels/numpy/optimizer.py has the formulas. */

/* The sum of squares: blocks in floats, their sums in doubles. */
static double sum_squares(const void *data, ptrdiff_t count)
{
    enum { BLOCK = 4096 };
    const real *x = data;
    double total = 0;
    for (ptrdiff_t start = 0; start < count; start += BLOCK)
        total += squares_around(x + start, 0, count - start < BLOCK ? count - start : BLOCK);
    return total;
}

static void scale_array(void *data, ptrdiff_t count, double factor)
{
    real *x = data;
    for (ptrdiff_t j = 0; j < count; j += LANES)
        store(x + j, load(x + j, count - j) * (real)factor, count - j);
}

static void adam_step(const adam_arrays *a, const adam_settings *s)
{
    real *param = a->param, *avg = a->exp_avg, *sq = a->exp_avg_sq;
    real *largest = a->max_exp_avg_sq;
    const real *grad = a->grad;
    real new_avg = (real)s->new_avg, keep_sq = (real)s->keep_sq;
    real new_sq = (real)s->new_sq, floor_ = (real)s->floor, rate = (real)s->rate;
    real decay = (real)s->decay;
    for (ptrdiff_t j = 0; j < a->size; j += LANES) {
        ptrdiff_t count = a->size - j;
        vec p = load(param + j, count), g = load(grad + j, count);
        if (s->decoupled)
            p *= decay;
        else if (decay != 0)
            g += p * decay;
        vec m = load(avg + j, count), v = load(sq + j, count);
        m += (g - m) * new_avg;
        v = v * keep_sq + g * g * new_sq;
        store(avg + j, m, count);
        store(sq + j, v, count);
        if (largest) {
            vec before = load(largest + j, count);
            v = select((before > v) | (before != before), before, v); /* NaN stays */
            store(largest + j, v, count);
        }
        vec root = v;
        for (ptrdiff_t i = 0; i < LANES; i++)
            root[i] = square_root(v[i]);
        store(param + j, p - m / (root + floor_) * rate, count);
    }
}
