/* The calls of RNN, LSTM and GRU from Python, of layers and cells.

   A layer's arrays are x (T, B, I) or ids (T, B), and states (1, B, H). A cell runs one
   step: x is (B, I) or (I,), or ids (B,) or (), and states are (B, H) or (H,). */

enum { RNN = 1, GRU = 3, LSTM = 4 }; /* the number of gates */

/* Multiplications from which other Python threads run meanwhile. */
#define LONG_WORK 1e6

/* Read sizes of at least 0 from Python's integers. */
static int read_sizes(PyObject *const *args, int count, ptrdiff_t *sizes)
{
    for (int i = 0; i < count; i++) {
        sizes[i] = PyLong_AsSsize_t(args[i]);
        if (sizes[i] < 0 && !PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a size is negative");
        if (PyErr_Occurred())
            return 0;
    }
    return 1;
}

/* Whether all integers of an int64 array, or of none, lie in [0, end); else an error. */
static int in_range(const char *name, const int64_t *x, ptrdiff_t count, ptrdiff_t end)
{
    int is_outside = 0; /* without an exit, the loop takes several at a time */
    for (ptrdiff_t i = 0; x && i < count; i++)
        is_outside |= (uint64_t)x[i] >= (uint64_t)end;
    for (ptrdiff_t i = 0; is_outside && i < count; i++)
        if (x[i] < 0 || x[i] >= end) {
            PyErr_Format(PyExc_IndexError, "%s: got %lld, expected 0 to %zd", name,
                         (long long)x[i], end - 1);
            break;
        }
    return !is_outside;
}

static int has_count(const char *function, Py_ssize_t got, Py_ssize_t expected_count)
{
    if (got != expected_count)
        PyErr_Format(PyExc_TypeError, "%s: got %zd arguments, expected %zd", function, got,
                     expected_count);
    return got == expected_count;
}

static const kernel_table *find_table(int type)
{
    return in_use->tables[type == NPY_DOUBLE];
}

/* What the forward and the backward of a layer begin with. */
typedef struct {
    arrays call;
    scan_shape shape;
    int gates, batch_dims; /* before I in x: 2 for T and B, 1 for B, or 0 */
    PyObject *x, *lengths;
    ptrdiff_t x_shape[MAX_DIMS];
} layer;

/* Read gates, relu, reverse, and the first and last row of the batch, which follow each
   other in args, and the sizes of x (features or ids) and of the weights. */
static int begin_layer(layer *l, PyObject *const *args, PyObject *x, PyObject *lengths,
                       PyObject *w_ih, PyObject *w_hh)
{
    ptrdiff_t given[5];
    if (!read_sizes(args, 5, given))
        return 0;
    if (!PyArray_Check(x) || !PyArray_Check(w_ih) || !PyArray_Check(w_hh) ||
        PyArray_NDIM((PyArrayObject *)w_ih) != 2 ||
        PyArray_NDIM((PyArrayObject *)w_hh) != 2) {
        PyErr_SetString(PyExc_TypeError, "expected arrays x, w_ih and w_hh");
        return 0;
    }
    PyArrayObject *input = (PyArrayObject *)x;
    int is_ids = PyArray_ISINTEGER(input), dims = PyArray_NDIM(input) - !is_ids;
    range rows = {given[3], given[4]};
    scan_shape *s = &l->shape;
    s->steps = dims == 2 ? PyArray_DIM(input, 0) : 1;
    s->batch = dims > 0 ? PyArray_DIM(input, dims - 1) : 1;
    s->input = PyArray_DIM((PyArrayObject *)w_ih, 1);
    s->hidden = PyArray_DIM((PyArrayObject *)w_hh, 1);
    s->relu = given[1] != 0;
    s->reverse = given[2] != 0;
    s->rows = rows;
    l->gates = (int)given[0];
    l->batch_dims = dims;
    int is_kind = given[0] == RNN || given[0] == GRU || given[0] == LSTM;
    if (!is_kind || dims < 0 || dims > 2 || rows.begin > rows.end || rows.end > s->batch) {
        PyErr_SetString(PyExc_ValueError, "no such layer, or no such rows");
        return 0;
    }
    if (room_for(s, l->gates, sizeof(double)) < 0) /* arrays without elements are of any size */
        return PyErr_NoMemory(), 0;
    expected whole = {"x", READ, dims + !is_ids, {0}};
    for (int i = 0; i < dims; i++)
        whole.shape[i] = PyArray_DIM(input, i);
    if (!is_ids)
        whole.shape[dims] = s->input;
    memcpy(l->x_shape, whole.shape, sizeof(whole.shape));
    int type = PyArray_TYPE((PyArrayObject *)w_hh); /* other floats are converted to it */
    l->call.type = type == NPY_FLOAT || type == NPY_DOUBLE ? type : 0;
    l->x = checked(&l->call, x, is_ids ? 'i' : 'f', whole);
    l->lengths = checked(&l->call, lengths, 'i',
                         (expected){"lengths", OPTIONAL, 1, {s->batch}});
    s->lengths = data_of(l->lengths);
    if (l->call.failed)
        return 0;
    if (!in_range("lengths", s->lengths, s->batch, s->steps + 1) ||
        (is_ids && !in_range("ids", data_of(l->x), s->steps * s->batch, s->input)))
        return fail(&l->call), 0;
    return 1;
}

static int is_of_ids(const layer *l)
{
    return PyArray_ISINTEGER((PyArrayObject *)l->x);
}

/* What is expected of a state: (1, B, H), or (B, H) or (H,) of a cell. */
static expected state_like(const layer *l, const char *name, int use)
{
    ptrdiff_t batch = l->shape.batch, hidden = l->shape.hidden;
    if (l->batch_dims == 2)
        return (expected){name, use, 3, {1, batch, hidden}};
    if (l->batch_dims == 1)
        return (expected){name, use, 2, {batch, hidden}};
    return (expected){name, use, 1, {hidden}};
}

static PyObject *new_like(arrays *call, expected like)
{
    return new_array(call, like.dims, like.shape);
}

static void *allocate_room(layer *l, void **room)
{
    size_t item_size = l->call.type == NPY_FLOAT ? sizeof(float) : sizeof(double);
    return allocate(&l->call, room_for(&l->shape, l->gates, item_size), room);
}

/* The work of a scan over the rows of the call, in multiplications. */
static double scan_work(const layer *l)
{
    const scan_shape *s = &l->shape;
    return (double)(s->rows.end - s->rows.begin) * s->steps * l->gates * s->hidden *
           s->hidden;
}

static PyObject *or_none(PyObject *object)
{
    return object ? object : Py_None;
}

/* Items of a tuple, borrowed; fails if there are not so many. */
static void unpack(arrays *call, PyObject *tuple, int count, PyObject **items)
{
    if (call->failed || !PyTuple_Check(tuple) || PyTuple_Size(tuple) != count) {
        if (!call->failed)
            PyErr_Format(PyExc_TypeError, "expected a tuple of %d", count);
        fail(call);
        return;
    }
    for (int i = 0; i < count; i++)
        items[i] = PyTuple_GetItem(tuple, i);
}

/* What a layer keeps for its backward; None where it has no such thing. */
enum { STATES, C_STATES, GATES, M, INPUT, LENGTHS, WORKSPACE };

typedef struct {
    void *states, *c_states, *gates, *m;
} kept_arrays;

static kept_arrays check_workspace(layer *l, PyObject *workspace, int use)
{
    PyObject *items[WORKSPACE];
    kept_arrays found = {NULL, NULL, NULL, NULL};
    unpack(&l->call, workspace, WORKSPACE, items);
    if (l->call.failed)
        return found;
    ptrdiff_t T = l->shape.steps, B = l->shape.batch, H = l->shape.hidden;
    int of_lstm = l->gates == LSTM ? use : use | OPTIONAL;
    int of_gates = l->gates != RNN ? use : use | OPTIONAL;
    found.states =
        memory(&l->call, items[STATES], 'f', (expected){"states", use, 3, {T + 1, B, H}});
    found.c_states = memory(&l->call, items[C_STATES], 'f',
                             (expected){"c_states", of_lstm, 3, {T + 1, B, H}});
    found.gates = memory(&l->call, items[GATES], 'f',
                          (expected){"gates", of_gates, 3, {T, B, l->gates * H}});
    found.m = memory(&l->call, items[M], 'f', (expected){"m", of_gates, 3, {T, B, H}});
    return found;
}

/* Allocate the outputs and the workspace of a forward: ((output, h_n, c_n), workspace),
   without c_n but for an LSTM, and without the output of a cell. */
static PyObject *new_forward(layer *l)
{
    arrays *call = &l->call;
    const scan_shape *s = &l->shape;
    ptrdiff_t size = state_size(s);
    ptrdiff_t states_shape[] = {s->steps + 1, s->batch, s->hidden};
    ptrdiff_t gates_shape[] = {s->steps, s->batch, l->gates * s->hidden};
    ptrdiff_t after_shape[] = {s->steps, s->batch, s->hidden};
    int is_lstm = l->gates == LSTM, is_layer = l->batch_dims == 2;
    PyObject *states = new_array(call, 3, states_shape);
    PyObject *c_states = is_lstm ? new_array(call, 3, states_shape) : NULL;
    PyObject *gates = l->gates != RNN ? new_array(call, 3, gates_shape) : NULL;
    PyObject *m = l->gates != RNN ? new_array(call, 3, after_shape) : NULL;
    PyObject *output = NULL;
    if (is_layer)
        output = s->lengths ? new_array(call, 3, after_shape)
                            : view_of(call, states, s->reverse ? 0 : size, 3, after_shape);
    expected last = state_like(l, "h_n", WRITE);
    PyObject *h_n = new_like(call, last), *c_n = is_lstm ? new_like(call, last) : NULL;
    if (call->failed)
        return NULL;
    PyObject *outputs;
    if (is_layer)
        outputs = is_lstm ? PyTuple_Pack(3, output, h_n, c_n) : PyTuple_Pack(2, output, h_n);
    else
        outputs = is_lstm ? PyTuple_Pack(2, h_n, c_n) : PyTuple_Pack(1, h_n);
    PyObject *workspace =
        PyTuple_Pack(WORKSPACE, states, or_none(c_states), or_none(gates), or_none(m), l->x,
                     or_none(l->lengths));
    if (!hold(call, outputs) || !hold(call, workspace))
        return NULL;
    return hold(call, PyTuple_Pack(2, outputs, workspace));
}

/* layer_forward(gates, relu, reverse, begin, end, has_sums, lengths, x, h_0, c_0, w_ih,
   w_hh, b_ih, b_hh, made) runs these rows of the batch, into what an earlier call made,
   or into new arrays if `made` is None. Returns what new_forward() describes. */
static PyObject *layer_forward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("layer_forward", count, 15))
        return NULL;
    layer l = {.call = {.count = 0}};
    arrays *call = &l.call;
    if (!begin_layer(&l, args, args[7], args[6], args[10], args[11]))
        return call->failed = 1, finish(call, NULL);
    scan_shape *s = &l.shape;
    ptrdiff_t I = s->input, H = s->hidden, G = l.gates * H;
    layer_call c = {.has_sums = args[5] == Py_True};
    c.w_ih = memory(call, args[10], 'f', (expected){"w_ih", READ, 2, {G, I}});
    c.w_hh = memory(call, args[11], 'f', (expected){"w_hh", READ, 2, {G, H}});
    c.b_ih = memory(call, args[12], 'f', (expected){"b_ih", OPTIONAL, 1, {G}});
    c.b_hh = memory(call, args[13], 'f', (expected){"b_hh", OPTIONAL, 1, {G}});
    c.h_0 = memory(call, args[8], 'f', state_like(&l, "h_0", OPTIONAL));
    c.c_0 = memory(call, args[9], 'f', state_like(&l, "c_0", OPTIONAL));
    PyObject *made = args[14] == Py_None ? new_forward(&l) : args[14];
    PyObject *parts[2] = {NULL, NULL}, *outputs[3];
    int is_layer = l.batch_dims == 2, is_lstm = l.gates == LSTM;
    unpack(call, made, 2, parts);
    unpack(call, parts[0], is_layer + 1 + is_lstm, outputs);
    kept_arrays kept = check_workspace(&l, parts[1], WRITE);
    if (call->failed)
        return finish(call, NULL);
    if (is_layer && s->lengths)
        c.output = memory(call, outputs[0], 'f',
                          (expected){"output", WRITE, 3, {s->steps, s->batch, H}});
    c.h_n = memory(call, outputs[is_layer], 'f', state_like(&l, "h_n", WRITE));
    if (is_lstm)
        c.c_n = memory(call, outputs[is_layer + 1], 'f', state_like(&l, "c_n", WRITE));
    c.states = kept.states, c.c_states = kept.c_states;
    c.gates = kept.gates, c.m = kept.m;
    c.ids = is_of_ids(&l) ? data_of(l.x) : NULL;
    c.x = is_of_ids(&l) ? NULL : data_of(l.x);
    c.shape = *s;
    void *owner = NULL;
    if (!call->failed && s->rows.begin < s->rows.end)
        owner = allocate_room(&l, &c.room);
    if (owner) {
        const kernel_table *table = find_table(call->type);
        PyThreadState *others = scan_work(&l) > LONG_WORK ? PyEval_SaveThread() : NULL;
        if (l.gates == LSTM)
            table->lstm_forward(&c);
        else if (l.gates == GRU)
            table->gru_forward(&c);
        else
            table->rnn_forward(&c);
        if (others)
            PyEval_RestoreThread(others);
        free(owner);
    }
    if (!call->failed)
        Py_INCREF(made);
    return finish(call, call->failed ? NULL : made);
}

/* The gradients that a backward returns, in this order, and the rest of its arrays. */
enum { G_X, G_H, G_C, G_W_IH, G_W_HH, G_B_IH, G_B_HH, G_SUMS, G_RECURRENT, GRADIENTS };

/* Allocate the arrays of a backward; None for a gradient that is not needed and for one
   of a weight or the input whose product is left to BLAS, as it is at the limit. */
static PyObject *new_backward(layer *l, PyObject *needs, PyObject *const *g_last,
                              double limit)
{
    arrays *call = &l->call;
    const scan_shape *s = &l->shape;
    ptrdiff_t T = s->steps, B = s->batch, I = s->input, H = s->hidden, G = l->gates * H;
    PyObject *wanted[G_SUMS], *made[GRADIENTS] = {NULL};
    unpack(call, needs, G_SUMS, wanted);
    if (call->failed)
        return NULL;
    int is_lstm = l->gates == LSTM, dims = PyArray_NDIM((PyArrayObject *)l->x);
    int is_small = (double)T * B * I * G < limit;
    int is_small_hidden = (double)T * B * H * G < limit;
    const ptrdiff_t sums[] = {T, B, G}, w_ih[] = {G, I}, w_hh[] = {G, H};
    made[G_H] = new_like(call, state_like(l, "g_h", WRITE));
    made[G_C] = is_lstm ? new_like(call, state_like(l, "g_c", WRITE)) : NULL;
    made[G_SUMS] = new_array(call, 3, sums);
    made[G_RECURRENT] = l->gates == GRU ? new_array(call, 3, sums) : NULL;
    if (wanted[G_X] == Py_True && is_small && !is_of_ids(l))
        made[G_X] = new_array(call, dims, l->x_shape);
    if (wanted[G_W_IH] == Py_True && (is_small || is_of_ids(l)))
        made[G_W_IH] = new_array(call, 2, w_ih);
    if (wanted[G_W_HH] == Py_True && is_small_hidden)
        made[G_W_HH] = new_array(call, 2, w_hh);
    for (int i = G_B_IH; i <= G_B_HH; i++)
        made[i] = wanted[i] == Py_True ? new_array(call, 1, &G) : NULL;
    for (int i = G_H; i <= G_C && made[i]; i++) {
        const void *from =
            memory(call, g_last[i - G_H], 'f', state_like(l, "g_n", OPTIONAL));
        size_t size = (size_t)PyArray_NBYTES((PyArrayObject *)made[i]);
        if (from)
            memcpy(data_of(made[i]), from, size);
        else
            memset(data_of(made[i]), 0, size);
    }
    PyObject *result = call->failed ? NULL : hold(call, PyTuple_New(GRADIENTS));
    for (int i = 0; i < GRADIENTS && result; i++) {
        Py_INCREF(or_none(made[i]));
        PyTuple_SetItem(result, i, or_none(made[i]));
    }
    return result;
}

/* layer_backward(gates, relu, reverse, begin, end, finishes, limit, needs, grads, w_ih,
   w_hh, workspace, made) goes back through these rows of the batch, into what an earlier
   call made, or into new arrays if `made` is None. With `finishes`, it computes the
   gradients of the input and the weights from the g_sums of all rows. `grads` are
   (g_output, g_h_n, g_c_n). Returns what new_backward() describes. */
static PyObject *layer_backward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("layer_backward", count, 13))
        return NULL;
    layer l = {.call = {.count = 0}};
    arrays *call = &l.call;
    PyObject *items[WORKSPACE], *grads[3], *wanted[G_SUMS], *parts[GRADIENTS];
    unpack(call, args[11], WORKSPACE, items);
    unpack(call, args[8], 3, grads);
    unpack(call, args[7], G_SUMS, wanted);
    if (call->failed || !begin_layer(&l, args, items[INPUT], items[LENGTHS], args[9], args[10]))
        return call->failed = 1, finish(call, NULL);
    scan_shape *s = &l.shape;
    ptrdiff_t T = s->steps, B = s->batch, I = s->input, H = s->hidden, G = l.gates * H;
    double limit = PyFloat_AsDouble(args[6]);
    if (PyErr_Occurred())
        fail(call);
    layer_back_call c = {.finishes = args[5] == Py_True};
    c.w_ih = memory(call, args[9], 'f', (expected){"w_ih", READ, 2, {G, I}});
    c.w_hh = memory(call, args[10], 'f', (expected){"w_hh", READ, 2, {G, H}});
    kept_arrays kept = check_workspace(&l, args[11], READ);
    c.states = kept.states, c.c_states = kept.c_states;
    c.gates = kept.gates, c.m = kept.m;
    if (l.batch_dims == 2)
        c.g_output = memory(call, grads[0], 'f', (expected){"g_output", OPTIONAL, 3, {T, B, H}});
    PyObject *made = args[12] == Py_None ? new_backward(&l, args[7], grads + 1, limit) : args[12];
    unpack(call, made, GRADIENTS, parts);
    if (call->failed)
        return finish(call, NULL);
    expected g_x = {"g_x", WRITE | OPTIONAL, PyArray_NDIM((PyArrayObject *)l.x), {0}};
    memcpy(g_x.shape, l.x_shape, sizeof(g_x.shape));
    int of_lstm = l.gates == LSTM ? WRITE : WRITE | OPTIONAL;
    int of_gru = l.gates == GRU ? WRITE : WRITE | OPTIONAL;
    if (!is_of_ids(&l))
        c.g_x = memory(call, parts[G_X], 'f', g_x);
    c.g_h = memory(call, parts[G_H], 'f', state_like(&l, "g_h", WRITE));
    c.g_c = memory(call, parts[G_C], 'f', state_like(&l, "g_c", of_lstm));
    c.g_w_ih = memory(call, parts[G_W_IH], 'f', (expected){"g_w_ih", WRITE | OPTIONAL, 2, {G, I}});
    c.g_w_hh = memory(call, parts[G_W_HH], 'f', (expected){"g_w_hh", WRITE | OPTIONAL, 2, {G, H}});
    c.g_b_ih = memory(call, parts[G_B_IH], 'f', (expected){"g_b_ih", WRITE | OPTIONAL, 1, {G}});
    c.g_b_hh = memory(call, parts[G_B_HH], 'f', (expected){"g_b_hh", WRITE | OPTIONAL, 1, {G}});
    c.g_sums = memory(call, parts[G_SUMS], 'f', (expected){"g_sums", WRITE, 3, {T, B, G}});
    c.g_recurrent =
        memory(call, parts[G_RECURRENT], 'f', (expected){"g_recurrent", of_gru, 3, {T, B, G}});
    c.wants_g_h = wanted[G_H] == Py_True;
    c.ids = is_of_ids(&l) ? data_of(l.x) : NULL;
    c.x = is_of_ids(&l) ? NULL : data_of(l.x);
    c.shape = *s;
    void *owner = NULL;
    if (!call->failed)
        owner = allocate_room(&l, &c.room);
    if (owner) {
        const kernel_table *table = find_table(call->type);
        int is_long = c.finishes || scan_work(&l) > LONG_WORK;
        is_long = is_long && (double)T * B * G * (H + I) > LONG_WORK;
        PyThreadState *others = is_long ? PyEval_SaveThread() : NULL;
        if (l.gates == LSTM)
            table->lstm_backward(&c);
        else if (l.gates == GRU)
            table->gru_backward(&c);
        else
            table->rnn_backward(&c);
        if (others)
            PyEval_RestoreThread(others);
        free(owner);
    }
    if (!call->failed)
        Py_INCREF(made);
    return finish(call, call->failed ? NULL : made);
}
