/* Long short-term memory; kernels/numpy/lstm.py has the equations and gradients.

   A tile holds the sums of the gates i, f, g, o of the same hidden units. */

typedef struct {
    const scan_shape *shape;
    const scan_input *input;
    ptrdiff_t t;
    const real *h, *c; /* before the step, (B, H) */
    real *new_h, *new_c;
    real *gates;    /* i, f, g, o after the step, (B, 4*H) */
    real *squashed; /* tanh(c'), (B, H) */
} lstm_step;

static void lstm_tile(const void *context, const tile *at)
{
    const lstm_step *s = context;
    ptrdiff_t hidden = s->shape->hidden, j = at->column, count = hidden - j;
    for (int r = 0; r < at->rows; r++) {
        ptrdiff_t b = at->row + r, unit = b * hidden + j;
        const real *x = input_row(s->input, s->t * s->shape->batch + b) + j;
        const vec *sums = at->sums + r * 4;
        vec i = sigmoid_of(sums[0] + load(x, count));
        vec f = sigmoid_of(sums[1] + load(x + hidden, count));
        vec g = tanh_of(sums[2] + load(x + 2 * hidden, count));
        vec o = sigmoid_of(sums[3] + load(x + 3 * hidden, count));
        vec c = load(s->c + unit, count);
        vec new_c = f * c + i * g;
        vec squashed = tanh_of(new_c), new_h = o * squashed;
        if (is_over(s->shape, s->t, b)) {
            new_c = c;
            new_h = load(s->h + unit, count);
        }
        real *gates = s->gates + b * 4 * hidden + j;
        store(gates, i, count);
        store(gates + hidden, f, count);
        store(gates + 2 * hidden, g, count);
        store(gates + 3 * hidden, o, count);
        store(s->squashed + unit, squashed, count);
        store(s->new_c + unit, new_c, count);
        store(s->new_h + unit, new_h, count);
    }
}

static void lstm_forward(const layer_call *c)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t hidden = s->hidden, width = 4 * hidden;
    real *room = c->room;
    operand weight = pack_transposed(c->w_hh, 4, hidden, hidden, count_rows(s), &room);
    const real *bias = add_biases(c, width, room);
    scan_input input = project(c, width, bias, c->gates, room + padded(width));
    begin_states(s, c->h_0, c->states);
    begin_states(s, c->c_0, c->c_states);
    for (ptrdiff_t i = 0; i < s->steps; i++) {
        ptrdiff_t t = step_at(s, i);
        lstm_step step = {s,
                          &input,
                          t,
                          state_before(s, c->states, t),
                          state_before(s, c->c_states, t),
                          state_after(s, c->states, t),
                          state_after(s, c->c_states, t),
                          (real *)c->gates + t * s->batch * width,
                          (real *)c->m + t * state_size(s)};
        matrix h = {step.h, hidden, 1};
        for_each_tile(h, s->rows, &weight, hidden, lstm_tile, NULL, &step);
    }
    if (c->output)
        clear_padding(s, state_after(s, c->states, 0), c->output);
    end_states(s, c->states, c->h_n);
    end_states(s, c->c_states, c->c_n);
}

typedef struct {
    const scan_shape *shape;
    ptrdiff_t t;
    const real *c, *gates, *squashed;
    const real *g_output; /* (B, H) or NULL */
    real *g_passed;       /* what reaches h' past W_hh, (B, H) or NULL */
    real *g_c;            /* of c' on the way in, of c on the way out, (B, H) */
    real *g_sums;         /* of the gates' sums, (B, 4*H) */
} lstm_back;

static void lstm_back_ask(const void *context, ptrdiff_t b, ptrdiff_t j)
{
    const lstm_back *s = context;
    ptrdiff_t hidden = s->shape->hidden, unit = b * hidden + j, gate = b * 4 * hidden + j;
    for (int i = 0; i < 4; i++) {
        __builtin_prefetch(s->gates + gate + i * hidden);
        __builtin_prefetch(s->g_sums + gate + i * hidden, 1);
    }
    __builtin_prefetch(s->squashed + unit);
    __builtin_prefetch(s->c + unit);
    __builtin_prefetch(s->g_c + unit, 1);
    if (s->g_output)
        __builtin_prefetch(s->g_output + unit);
}

static void lstm_back_tile(const void *context, const tile *at)
{
    const lstm_back *s = context;
    ptrdiff_t hidden = s->shape->hidden;
    for (int r = 0; r < at->rows; r++) {
        ptrdiff_t b = at->row + r;
        int over = is_over(s->shape, s->t, b);
        for (int v = 0; v < at->vectors; v++) {
            ptrdiff_t j = at->column + v * LANES, count = hidden - j;
            ptrdiff_t unit = b * hidden + j, gate = b * 4 * hidden + j;
            vec g_h = at->sums[r * at->vectors + v];
            if (s->g_passed)
                g_h += load(s->g_passed + unit, count);
            if (s->g_output && !over)
                g_h += load(s->g_output + unit, count);
            if (s->g_passed)
                store(s->g_passed + unit, over ? g_h : (vec){0}, count);
            vec g_i = {0}, g_f = {0}, g_g = {0}, g_o = {0};
            if (!over) {
                vec i = load(s->gates + gate, count);
                vec f = load(s->gates + gate + hidden, count);
                vec g = load(s->gates + gate + 2 * hidden, count);
                vec o = load(s->gates + gate + 3 * hidden, count);
                vec squashed = load(s->squashed + unit, count);
                vec g_c = load(s->g_c + unit, count);
                g_c += g_h * o * (1 - squashed * squashed);
                g_i = g_c * g * i * (1 - i);
                g_f = g_c * load(s->c + unit, count) * f * (1 - f);
                g_g = g_c * i * (1 - g * g);
                g_o = g_h * squashed * o * (1 - o);
                store(s->g_c + unit, g_c * f, count);
            }
            store(s->g_sums + gate, g_i, count);
            store(s->g_sums + gate + hidden, g_f, count);
            store(s->g_sums + gate + 2 * hidden, g_g, count);
            store(s->g_sums + gate + 3 * hidden, g_o, count);
        }
    }
}

static void lstm_backward(const layer_back_call *c)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t hidden = s->hidden, width = 4 * hidden, size = state_size(s), depth = 0;
    const real *gates = c->gates, *m = c->m, *g_output = c->g_output;
    real *room = c->room;
    matrix w_hh = {c->w_hh, hidden, 1}, g = {c->g_sums, width, 1};
    operand weight = pack(w_hh, width, hidden, &room);
    for (ptrdiff_t i = s->steps - 1; i >= 0; i--, depth = width) {
        ptrdiff_t t = step_at(s, i);
        lstm_back step = {s,
                          t,
                          state_before(s, c->c_states, t),
                          gates + t * 4 * size,
                          m + t * size,
                          g_output ? g_output + t * size : NULL,
                          depth && !s->lengths ? NULL : c->g_h,
                          c->g_c,
                          (real *)c->g_sums + t * 4 * size};
        for_each_tile(g, s->rows, &weight, depth, lstm_back_tile, lstm_back_ask, &step);
        g.data = step.g_sums;
    }
    if (c->wants_g_h) {
        state_back first = {hidden, c->g_h};
        for_each_tile(g, s->rows, &weight, depth, state_back_tile, NULL, &first);
    }
    if (c->finishes)
        finish_backward(c, width);
}
