/* What the scans share: the input's part of the sums, the states, the gradients of the
   weights. Legend: T steps, B batch, I input, H hidden, G gates. */

/* A row of sums, (G*H,), for each step of each sequence. */
typedef struct {
    const real *rows;   /* (T*B, G*H), or a table of which ids take rows */
    const int64_t *ids; /* (T*B,) or NULL */
    ptrdiff_t width;    /* G*H */
} scan_input;

static inline const real *input_row(const scan_input *x, ptrdiff_t index)
{
    return x->rows + (x->ids ? x->ids[index] : index) * x->width;
}

/* The states that step t starts from and ends with; `states` is (T+1, B, H). */
static inline real *state_before(const scan_shape *s, const void *states, ptrdiff_t t)
{
    return (real *)states + (t + s->reverse) * state_size(s);
}

static inline real *state_after(const scan_shape *s, const void *states, ptrdiff_t t)
{
    return (real *)states + (t + !s->reverse) * state_size(s);
}

/* Of the rows of a state that the call works on. */
static inline size_t row_bytes(const scan_shape *s)
{
    return (size_t)((s->rows.end - s->rows.begin) * s->hidden) * sizeof(real);
}

static void begin_states(const scan_shape *s, const void *first, void *states)
{
    real *begin = (real *)states + (s->reverse ? s->steps * state_size(s) : 0);
    ptrdiff_t start = s->rows.begin * s->hidden;
    if (first)
        memcpy(begin + start, (const real *)first + start, row_bytes(s));
    else
        memset(begin + start, 0, row_bytes(s));
}

/* The state that the scan ends with, (B, H). */
static void end_states(const scan_shape *s, const void *states, void *last)
{
    const real *end = (const real *)states + (s->reverse ? 0 : s->steps * state_size(s));
    ptrdiff_t start = s->rows.begin * s->hidden;
    memcpy((real *)last + start, end + start, row_bytes(s));
}

/* The states after each step, with 0 where a sequence is over. */
static void clear_padding(const scan_shape *s, const real *after, real *output)
{
    size_t bytes = (size_t)s->hidden * sizeof(real);
    for (ptrdiff_t t = 0; t < s->steps; t++)
        for (ptrdiff_t b = s->rows.begin; b < s->rows.end; b++) {
            ptrdiff_t at = (t * s->batch + b) * s->hidden;
            if (is_over(s, t, b))
                memset(output + at, 0, bytes);
            else
                memcpy(output + at, after + at, bytes);
        }
}

/* The two biases together, (G*H,), in room; NULL if there are none. */
static const real *add_biases(const layer_call *c, ptrdiff_t width, real *room)
{
    const real *b_ih = c->b_ih, *b_hh = c->b_hh;
    if (!b_ih || !b_hh)
        return b_ih ? b_ih : b_hh;
    for (ptrdiff_t j = 0; j < width; j++)
        room[j] = b_ih[j] + b_hh[j];
    return room;
}

/* A column of W_ih, (G*H, I), plus the bias. */
static void table_row(const real *column, ptrdiff_t size, ptrdiff_t width,
                      const real *bias, real *row)
{
    for (ptrdiff_t j = 0; j < width; j++)
        row[j] = column[j * size] + (bias ? bias[j] : 0);
}

/* W_ih x + bias of all steps, into out, (T*B, G*H).

   Of ids, which stand for one-hot rows, they are rows of a table, W_ih^T + bias,
   (I, G*H); it is made in `room` unless it is longer than the sequences altogether. */
static scan_input project(const layer_call *c, ptrdiff_t width, const real *bias,
                          real *out, real *room)
{
    const scan_shape *s = &c->shape;
    ptrdiff_t batch = s->batch, size = s->input, count = s->rows.end - s->rows.begin;
    const real *w_ih = c->w_ih;
    if (c->has_sums)
        return (scan_input){out, NULL, width};
    if (c->ids && s->steps * count >= size) {
        for (ptrdiff_t i = 0; i < size; i++)
            table_row(w_ih + i, size, width, bias, room + i * width);
        return (scan_input){room, c->ids, width};
    }
    if (c->ids) {
        for (ptrdiff_t t = 0; t < s->steps; t++)
            for (ptrdiff_t b = s->rows.begin; b < s->rows.end; b++) {
                ptrdiff_t row = t * batch + b;
                table_row(w_ih + c->ids[row], size, width, bias, out + row * width);
            }
        return (scan_input){out, NULL, width};
    }
    matrix features = {c->x, size, 1};
    operand weight = pack_transposed(w_ih, 0, size, width, s->steps * count, &room);
    /* The rows of all steps follow each other, unless they are a part of the batch. */
    ptrdiff_t times = count == batch ? 1 : s->steps;
    range rows = {s->rows.begin, count == batch ? s->steps * batch : s->rows.end};
    for (ptrdiff_t t = 0; t < times; t++, rows.begin += batch, rows.end += batch)
        multiply_packed(features, rows, &weight, bias, out);
    return (scan_input){out, NULL, width};
}

static void transpose(const real *x, ptrdiff_t rows, ptrdiff_t columns, real *out)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < columns; c++)
            out[c * rows + r] = x[r * columns + c];
}

/* The gradients of the input, the weights and the biases from those of the sums. */
static void finish_backward(const layer_back_call *c, ptrdiff_t width)
{
    const scan_shape *s = &c->shape;
    const real *g = c->g_sums, *g_recurrent = c->g_recurrent ? c->g_recurrent : g;
    ptrdiff_t rows = s->steps * s->batch;
    real *room = c->room;
    matrix g_rows = {g, width, 1}, g_columns = {g, 1, width};
    if (c->g_x) {
        matrix weight = {c->w_ih, s->input, 1};
        multiply(g_rows, weight, rows, width, s->input, c->g_x, room);
    }
    if (c->g_w_ih && c->ids) {
        memset(room, 0, (size_t)(s->input * width) * sizeof(real));
        embedding_backward(c->ids, g, rows, width, room);
        transpose(room, s->input, width, c->g_w_ih);
    } else if (c->g_w_ih) {
        matrix inputs = {c->x, s->input, 1};
        multiply(g_columns, inputs, width, rows, s->input, c->g_w_ih, room);
    }
    if (c->g_w_hh) {
        const real *states = c->states;
        matrix before = {states + s->reverse * state_size(s), s->hidden, 1};
        g_columns.data = g_recurrent;
        multiply(g_columns, before, width, rows, s->hidden, c->g_w_hh, room);
    }
    if (c->g_b_ih)
        sum_rows(g, rows, width, c->g_b_ih);
    if (c->g_b_hh && c->g_b_ih && g_recurrent == g)
        memcpy(c->g_b_hh, c->g_b_ih, (size_t)width * sizeof(real));
    else if (c->g_b_hh)
        sum_rows(g_recurrent, rows, width, c->g_b_hh);
}

/* The gradient of the state before the first step, from the product with its da. */
typedef struct {
    ptrdiff_t hidden;
    real *g_h; /* (B, H), with what comes past W_hh already */
} state_back;

static void state_back_tile(const void *context, const tile *at)
{
    const state_back *s = context;
    for (int r = 0; r < at->rows; r++)
        for (int v = 0; v < at->vectors; v++) {
            ptrdiff_t j = at->column + v * LANES, count = s->hidden - j;
            ptrdiff_t place = (at->row + r) * s->hidden + j;
            vec g_h = at->sums[r * at->vectors + v];
            store(s->g_h + place, g_h + load(s->g_h + place, count), count);
        }
}
