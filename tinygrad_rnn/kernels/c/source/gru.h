/* Gated recurrent unit; kernels/numpy/gru.py has the equations and gradients.

   A tile holds the products of the gates r, u, n of the same hidden units. */

typedef struct {
    const scan_shape *shape;
    const scan_input *input;
    ptrdiff_t t;
    const real *bias_n; /* b_hn, (H,) or NULL */
    const real *h;      /* before the step, (B, H) */
    real *new_h;
    real *gates; /* r, u, n, (B, 3*H) */
    real *m;     /* W_hn h + b_hn, (B, H) */
} gru_step;

static void gru_tile(const void *context, const tile *at)
{
    const gru_step *s = context;
    ptrdiff_t hidden = s->shape->hidden, j = at->column, count = hidden - j;
    for (int row = 0; row < at->rows; row++) {
        ptrdiff_t b = at->row + row, unit = b * hidden + j;
        const real *x = input_row(s->input, s->t * s->shape->batch + b) + j;
        const vec *sums = at->sums + row * 3;
        vec r = sigmoid_of(sums[0] + load(x, count));
        vec u = sigmoid_of(sums[1] + load(x + hidden, count));
        vec m = sums[2];
        if (s->bias_n)
            m += load(s->bias_n + j, count);
        vec n = tanh_of(load(x + 2 * hidden, count) + r * m);
        vec h = load(s->h + unit, count);
        vec new_h = n + u * (h - n);
        real *gates = s->gates + b * 3 * hidden + j;
        store(gates, r, count);
        store(gates + hidden, u, count);
        store(gates + 2 * hidden, n, count);
        store(s->m + unit, m, count);
        store(s->new_h + unit, is_over(s->shape, s->t, b) ? h : new_h, count);
    }
}

/* The biases of the input's sums: b_hn belongs to m instead. */
static const real *gru_bias(const layer_call *c, real *room)
{
    ptrdiff_t hidden = c->shape.hidden;
    const real *b_ih = c->b_ih, *b_hh = c->b_hh;
    if (!b_hh)
        return b_ih;
    for (ptrdiff_t j = 0; j < 3 * hidden; j++)
        room[j] = (b_ih ? b_ih[j] : 0) + (j < 2 * hidden ? b_hh[j] : 0);
    return room;
}

static void gru_forward(const layer_call *c)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t hidden = s->hidden, width = 3 * hidden;
    real *room = c->room;
    operand weight = pack_transposed(c->w_hh, 3, hidden, hidden, count_rows(s), &room);
    const real *bias = gru_bias(c, room), *b_hh = c->b_hh;
    scan_input input = project(c, width, bias, c->gates, room + padded(width));
    begin_states(s, c->h_0, c->states);
    for (ptrdiff_t i = 0; i < s->steps; i++) {
        ptrdiff_t t = step_at(s, i);
        gru_step step = {s,
                         &input,
                         t,
                         b_hh ? b_hh + 2 * hidden : NULL,
                         state_before(s, c->states, t),
                         state_after(s, c->states, t),
                         (real *)c->gates + t * s->batch * width,
                         (real *)c->m + t * state_size(s)};
        matrix h = {step.h, hidden, 1};
        for_each_tile(h, s->rows, &weight, hidden, gru_tile, NULL, &step);
    }
    if (c->output)
        clear_padding(s, state_after(s, c->states, 0), c->output);
    end_states(s, c->states, c->h_n);
}

typedef struct {
    const scan_shape *shape;
    ptrdiff_t t;
    const real *h, *gates, *m;
    const real *g_output;      /* (B, H) or NULL */
    real *g_passed;            /* what reaches h' past W_hh, (B, H) */
    real *g_sums, *g_recurrent; /* (B, 3*H) */
} gru_back;

static void gru_back_ask(const void *context, ptrdiff_t b, ptrdiff_t j)
{
    const gru_back *s = context;
    ptrdiff_t hidden = s->shape->hidden, unit = b * hidden + j, gate = b * 3 * hidden + j;
    for (int i = 0; i < 3; i++) {
        __builtin_prefetch(s->gates + gate + i * hidden);
        __builtin_prefetch(s->g_sums + gate + i * hidden, 1);
        __builtin_prefetch(s->g_recurrent + gate + i * hidden, 1);
    }
    __builtin_prefetch(s->m + unit);
    __builtin_prefetch(s->h + unit);
    __builtin_prefetch(s->g_passed + unit, 1);
    if (s->g_output)
        __builtin_prefetch(s->g_output + unit);
}

static void gru_back_tile(const void *context, const tile *at)
{
    const gru_back *s = context;
    ptrdiff_t hidden = s->shape->hidden;
    for (int row = 0; row < at->rows; row++) {
        ptrdiff_t b = at->row + row;
        int over = is_over(s->shape, s->t, b);
        for (int v = 0; v < at->vectors; v++) {
            ptrdiff_t j = at->column + v * LANES, count = hidden - j;
            ptrdiff_t unit = b * hidden + j, gate = b * 3 * hidden + j;
            vec g_h = at->sums[row * at->vectors + v] + load(s->g_passed + unit, count);
            if (s->g_output && !over)
                g_h += load(s->g_output + unit, count);
            vec g_r = {0}, g_u = {0}, g_n = {0}, g_m = {0};
            if (!over) {
                vec r = load(s->gates + gate, count);
                vec u = load(s->gates + gate + hidden, count);
                vec n = load(s->gates + gate + 2 * hidden, count);
                g_n = g_h * (1 - n * n) * (1 - u);
                g_m = g_n * r;
                g_u = g_h * (load(s->h + unit, count) - n) * u * (1 - u);
                g_r = g_m * load(s->m + unit, count) * (1 - r);
                g_h *= u;
            }
            store(s->g_passed + unit, g_h, count);
            real *g_sums = s->g_sums + gate, *g_recurrent = s->g_recurrent + gate;
            store(g_sums, g_r, count);
            store(g_sums + hidden, g_u, count);
            store(g_sums + 2 * hidden, g_n, count);
            store(g_recurrent, g_r, count);
            store(g_recurrent + hidden, g_u, count);
            store(g_recurrent + 2 * hidden, g_m, count);
        }
    }
}

static void gru_backward(const layer_back_call *c)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t hidden = s->hidden, width = 3 * hidden, size = state_size(s), depth = 0;
    const real *gates = c->gates, *m = c->m, *g_output = c->g_output;
    real *room = c->room;
    matrix w_hh = {c->w_hh, hidden, 1}, g = {c->g_recurrent, width, 1};
    operand weight = pack(w_hh, width, hidden, &room);
    for (ptrdiff_t i = s->steps - 1; i >= 0; i--, depth = width) {
        ptrdiff_t t = step_at(s, i);
        gru_back step = {s,
                         t,
                         state_before(s, c->states, t),
                         gates + t * 3 * size,
                         m + t * size,
                         g_output ? g_output + t * size : NULL,
                         c->g_h,
                         (real *)c->g_sums + t * 3 * size,
                         (real *)c->g_recurrent + t * 3 * size};
        for_each_tile(g, s->rows, &weight, depth, gru_back_tile, gru_back_ask, &step);
        g.data = step.g_recurrent;
    }
    if (c->wants_g_h) {
        state_back first = {hidden, c->g_h};
        for_each_tile(g, s->rows, &weight, depth, state_back_tile, NULL, &first);
    }
    if (c->finishes)
        finish_backward(c, width);
}
