/* Elman's layer, h' = act(a), a = W_ih x + W_hh h + b; kernels/numpy/rnn.py has the
   gradients. */

typedef struct {
    const scan_shape *shape;
    const scan_input *input;
    ptrdiff_t t;
    const real *before;
    real *after;
} rnn_step;

static inline __attribute__((always_inline)) void
rnn_step_rows(const rnn_step *s, const tile *at, const int relu)
{
    ptrdiff_t hidden = s->shape->hidden;
    for (int r = 0; r < at->rows; r++) {
        ptrdiff_t b = at->row + r, row = b * hidden;
        const real *x = input_row(s->input, s->t * s->shape->batch + b);
        int over = is_over(s->shape, s->t, b);
        for (int v = 0; v < at->vectors; v++) {
            ptrdiff_t j = at->column + v * LANES, count = hidden - j;
            vec a = at->sums[r * at->vectors + v] + load(x + j, count);
            vec h = relu ? relu_of(a) : tanh_of(a);
            store(s->after + row + j, over ? load(s->before + row + j, count) : h,
                  count);
        }
    }
}

static void rnn_ask(const void *context, ptrdiff_t b, ptrdiff_t j)
{
    const rnn_step *s = context;
    __builtin_prefetch(s->after + b * s->shape->hidden + j, 1);
}

static void rnn_tanh_tile(const void *step, const tile *at)
{
    rnn_step_rows(step, at, 0);
}

static void rnn_relu_tile(const void *step, const tile *at)
{
    rnn_step_rows(step, at, 1);
}

static void rnn_forward(const layer_call *c)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t hidden = s->hidden;
    real *room = c->room;
    operand weight = pack_transposed(c->w_hh, 0, hidden, hidden, count_rows(s), &room);
    const real *bias = add_biases(c, hidden, room);
    real *after = state_after(s, c->states, 0);
    scan_input input = project(c, hidden, bias, after, room + padded(hidden));
    begin_states(s, c->h_0, c->states);
    use_tile use = s->relu ? rnn_relu_tile : rnn_tanh_tile;
    for (ptrdiff_t i = 0; i < s->steps; i++) {
        ptrdiff_t t = step_at(s, i);
        rnn_step step = {s, &input, t, state_before(s, c->states, t),
                         state_after(s, c->states, t)};
        matrix h = {step.before, hidden, 1};
        for_each_tile(h, s->rows, &weight, hidden, use, rnn_ask, &step);
    }
    if (c->output)
        clear_padding(s, after, c->output);
    end_states(s, c->states, c->h_n);
}

typedef struct {
    const scan_shape *shape;
    ptrdiff_t t;
    const real *after;    /* h', (B, H) */
    const real *g_output; /* (B, H) or NULL */
    real *g_passed;       /* what reaches h' past W_hh, (B, H) or NULL */
    real *g_sums;         /* da */
} rnn_back;

static void rnn_back_ask(const void *context, ptrdiff_t b, ptrdiff_t j)
{
    const rnn_back *s = context;
    ptrdiff_t unit = b * s->shape->hidden + j;
    __builtin_prefetch(s->after + unit);
    __builtin_prefetch(s->g_sums + unit, 1);
    if (s->g_output)
        __builtin_prefetch(s->g_output + unit);
}

static void rnn_back_tile(const void *context, const tile *at)
{
    const rnn_back *s = context;
    for (int r = 0; r < at->rows; r++) {
        ptrdiff_t b = at->row + r, row = b * s->shape->hidden;
        int over = is_over(s->shape, s->t, b);
        for (int v = 0; v < at->vectors; v++) {
            ptrdiff_t j = at->column + v * LANES, count = s->shape->hidden - j;
            vec g_h = at->sums[r * at->vectors + v];
            if (s->g_passed)
                g_h += load(s->g_passed + row + j, count);
            if (s->g_output && !over)
                g_h += load(s->g_output + row + j, count);
            vec h = load(s->after + row + j, count);
            vec zero = {0};
            /* relu's h is never negative, and its slope at 0 is 0, as in PyTorch */
            vec slope = s->shape->relu ? select(h > 0, zero + 1, h * 0) : 1 - h * h;
            if (s->g_passed)
                store(s->g_passed + row + j, over ? g_h : zero, count);
            store(s->g_sums + row + j, over ? zero : g_h * slope, count);
        }
    }
}

static void rnn_backward(const layer_back_call *c)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t hidden = s->hidden, size = state_size(s), depth = 0;
    const real *after = state_after(s, c->states, 0), *g_output = c->g_output;
    real *room = c->room;
    matrix w_hh = {c->w_hh, hidden, 1}, g = {c->g_sums, hidden, 1};
    operand weight = pack(w_hh, hidden, hidden, &room);
    /* The last step has none behind it: the depth of its product is 0, and g_h holds
       the gradient of its state. In the padding, g_h passes through. */
    for (ptrdiff_t i = s->steps - 1; i >= 0; i--, depth = hidden) {
        ptrdiff_t t = step_at(s, i);
        rnn_back step = {s, t, after + t * size, g_output ? g_output + t * size : NULL,
                         depth && !s->lengths ? NULL : c->g_h,
                         (real *)c->g_sums + t * size};
        for_each_tile(g, s->rows, &weight, depth, rnn_back_tile, rnn_back_ask, &step);
        g.data = step.g_sums;
    }
    if (c->wants_g_h) {
        state_back first = {hidden, c->g_h};
        for_each_tile(g, s->rows, &weight, depth, state_back_tile, NULL, &first);
    }
    if (c->finishes)
        finish_backward(c, hidden);
}
