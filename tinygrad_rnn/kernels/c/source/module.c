/* The extension module: checks what Python passes, chooses the kernels, releases the
   interpreter's lock while they run. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

#include "variants.h"

static const instruction_set *in_use; /* set at import */

/* ---- arrays */

enum { MAX_ARRAYS = 32, MAX_DIMS = 3 };

/* The buffers of one call: they are released together. */
typedef struct {
    Py_buffer views[MAX_ARRAYS];
    int count;
    char format; /* that of the call's floats, 'f' or 'd'; 0 before the first */
} arrays;

static void release(arrays *held)
{
    while (held->count)
        PyBuffer_Release(&held->views[--held->count]);
}

enum { READ = 0, WRITE = 1, OPTIONAL = 2 };

typedef struct {
    const char *name;
    int use, dims;
    ptrdiff_t shape[MAX_DIMS];
} expected;

static int has_shape(const Py_buffer *view, const expected *want)
{
    if (view->ndim != want->dims)
        return 0;
    for (int i = 0; i < want->dims; i++)
        if (view->shape[i] != want->shape[i])
            return 0;
    return 1;
}

/* The type of an array's elements: 'f' or 'd' for floats, 'i' for int64, 0 for another
   one, also for numbers in another byte order. */
static char element_type(const Py_buffer *view)
{
    const char *format = view->format ? view->format : "B";
    if (!*format || format[1])
        return 0;
    if ((*format == 'l' || *format == 'q') && view->itemsize == sizeof(int64_t))
        return 'i';
    return *format == 'f' || *format == 'd' ? *format : 0;
}

/* Take an array's buffer. It is C-contiguous and aligned for its elements, which are
   floats of the call's type, or int64 if `kind` is 'i'. NULL with an error set. */
static const Py_buffer *take_buffer(arrays *held, PyObject *object, char kind, int use,
                                    const char *name)
{
    Py_buffer *view = &held->views[held->count];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (use & WRITE ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0)
        return NULL;
    held->count++;
    char type = element_type(view);
    if (kind == 'f' && type != 'i' && !held->format)
        held->format = type;
    if (!type || type != (kind == 'i' ? 'i' : held->format)) {
        PyErr_Format(PyExc_TypeError, "%s: got an array of format '%s'", name,
                     view->format ? view->format : "B");
        return NULL;
    }
    if (view->len && (uintptr_t)view->buf % (uintptr_t)view->itemsize) {
        PyErr_Format(PyExc_ValueError, "%s: got an array that is not aligned", name);
        return NULL;
    }
    return view;
}

/* The memory of an array of this kind, 'f' for floats and 'i' for int64; NULL for None
   if it is optional, or with an error set. */
static void *memory(arrays *held, PyObject *object, char kind, expected want)
{
    if (PyErr_Occurred() || (object == Py_None && want.use & OPTIONAL))
        return NULL;
    const Py_buffer *view = take_buffer(held, object, kind, want.use, want.name);
    if (view && !has_shape(view, &want)) {
        PyErr_Format(PyExc_ValueError, "%s: got an array of another shape", want.name);
        return NULL;
    }
    return view ? view->buf : NULL;
}

/* Whether all integers of an int64 array, or of none, lie in [0, end); else an error. */
static int in_range(const char *name, const int64_t *x, ptrdiff_t count, ptrdiff_t end)
{
    for (ptrdiff_t i = 0; x && i < count; i++)
        if (x[i] < 0 || x[i] >= end) {
            PyErr_Format(PyExc_IndexError, "%s: got %lld, expected 0 to %zd", name,
                         (long long)x[i], end - 1);
            return 0;
        }
    return 1;
}

static int has_count(const char *function, Py_ssize_t got, Py_ssize_t expected_count)
{
    if (got != expected_count)
        PyErr_Format(PyExc_TypeError, "%s: got %zd arguments, expected %zd", function, got,
                     expected_count);
    return got == expected_count;
}

/* None, or NULL if an error is set, after the arrays have been released. */
static PyObject *finish(arrays *held)
{
    release(held);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* ---- a layer's call */

enum { RNN = 1, GRU = 3, LSTM = 4 }; /* a layer's number of gates */

/* The first arguments of both: gates, T, B, I, H, first and last row, reverse, relu. */
enum { SIZES = 9 };

static int read_shape(PyObject *const *args, scan_shape *s, int *gates)
{
    ptrdiff_t sizes[SIZES];
    for (int i = 0; i < SIZES; i++) {
        sizes[i] = PyLong_AsSsize_t(args[i]);
        if (sizes[i] < 0 && !PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a size is negative");
        if (PyErr_Occurred())
            return 0;
    }
    range rows = {sizes[5], sizes[6]};
    *gates = (int)sizes[0];
    int is_layer = sizes[0] == RNN || sizes[0] == GRU || sizes[0] == LSTM;
    if (!is_layer || rows.begin > rows.end || rows.end > sizes[2]) {
        PyErr_SetString(PyExc_ValueError, "no such layer, or no such rows");
        return 0;
    }
    *s = (scan_shape){sizes[1], sizes[2], sizes[3], sizes[4], rows,
                      sizes[7] != 0, sizes[8] != 0, NULL};
    return room_for(s, *gates, sizeof(double)) >= 0 || (PyErr_NoMemory(), 0);
}

/* Memory for a kernel, aligned for its vectors; `*owner` is to be freed. */
static void *allocate_room(const scan_shape *s, int gates, char format, void **owner)
{
    enum { ALIGNMENT = 64 };
    ptrdiff_t size = room_for(s, gates, format == 'f' ? sizeof(float) : sizeof(double));
    *owner = size < 0 ? NULL : malloc((size_t)size + ALIGNMENT);
    if (!*owner) {
        PyErr_NoMemory();
        return NULL;
    }
    return (void *)(((uintptr_t)*owner + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

static const kernel_table *find_table(char format)
{
    return in_use->tables[format == 'd'];
}

static PyObject *layer_forward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (!has_count("layer_forward", count, 26))
        return NULL;
    (void)self;
    layer_call c = {0};
    int gates;
    if (!read_shape(args, &c.shape, &gates))
        return NULL;
    scan_shape *s = &c.shape;
    ptrdiff_t T = s->steps, B = s->batch, I = s->input, H = s->hidden, G = gates * H;
    int of_lstm = gates == LSTM ? 0 : OPTIONAL, of_gru = gates == GRU ? 0 : OPTIONAL;
    int of_gates = gates != RNN ? 0 : OPTIONAL;
    arrays held = {.count = 0};
    s->lengths = memory(&held, args[9], 'i', (expected){"lengths", OPTIONAL, 1, {B}});
    c.x = memory(&held, args[10], 'f', (expected){"x", OPTIONAL, 2, {T * B, I}});
    c.ids = memory(&held, args[11], 'i', (expected){"ids", OPTIONAL, 1, {T * B}});
    c.has_sums = args[12] == Py_True;
    c.w_ih = memory(&held, args[13], 'f', (expected){"w_ih", READ, 2, {G, I}});
    c.w_hh = memory(&held, args[14], 'f', (expected){"w_hh", READ, 2, {G, H}});
    c.b_ih = memory(&held, args[15], 'f', (expected){"b_ih", OPTIONAL, 1, {G}});
    c.b_hh = memory(&held, args[16], 'f', (expected){"b_hh", OPTIONAL, 1, {G}});
    c.h_0 = memory(&held, args[17], 'f', (expected){"h_0", OPTIONAL, 3, {1, B, H}});
    c.c_0 = memory(&held, args[18], 'f', (expected){"c_0", OPTIONAL, 3, {1, B, H}});
    c.states = memory(&held, args[19], 'f', (expected){"states", WRITE, 3, {T + 1, B, H}});
    c.c_states = memory(&held, args[20], 'f', (expected){"c_states", of_lstm | WRITE, 3, {T + 1, B, H}});
    c.gates = memory(&held, args[21], 'f', (expected){"gates", of_gates | WRITE, 3, {T, B, G}});
    c.m = memory(&held, args[22], 'f', (expected){"m", of_gru | WRITE, 3, {T, B, H}});
    c.output = memory(&held, args[23], 'f', (expected){"output", WRITE | OPTIONAL, 3, {T, B, H}});
    c.h_n = memory(&held, args[24], 'f', (expected){"h_n", WRITE, 3, {1, B, H}});
    c.c_n = memory(&held, args[25], 'f', (expected){"c_n", of_lstm | WRITE, 3, {1, B, H}});
    void *owner = NULL;
    if (!PyErr_Occurred() && !c.x == !c.ids)
        PyErr_SetString(PyExc_TypeError, "expected x or ids");
    if (!PyErr_Occurred() && in_range("ids", c.ids, T * B, I) &&
        in_range("lengths", s->lengths, B, T + 1))
        c.room = allocate_room(s, gates, held.format, &owner);
    if (owner) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        if (gates == LSTM)
            table->lstm_forward(&c);
        else if (gates == GRU)
            table->gru_forward(&c);
        else
            table->rnn_forward(&c);
        Py_END_ALLOW_THREADS
        free(owner);
    }
    return finish(&held);
}

static PyObject *layer_backward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (!has_count("layer_backward", count, 30))
        return NULL;
    (void)self;
    layer_back_call c = {0};
    int gates;
    if (!read_shape(args, &c.shape, &gates))
        return NULL;
    scan_shape *s = &c.shape;
    ptrdiff_t T = s->steps, B = s->batch, I = s->input, H = s->hidden, G = gates * H;
    int of_lstm = gates == LSTM ? 0 : OPTIONAL, of_gru = gates == GRU ? 0 : OPTIONAL;
    int of_gates = gates != RNN ? 0 : OPTIONAL;
    arrays held = {.count = 0};
    s->lengths = memory(&held, args[9], 'i', (expected){"lengths", OPTIONAL, 1, {B}});
    c.x = memory(&held, args[10], 'f', (expected){"x", OPTIONAL, 2, {T * B, I}});
    c.ids = memory(&held, args[11], 'i', (expected){"ids", OPTIONAL, 1, {T * B}});
    c.w_ih = memory(&held, args[12], 'f', (expected){"w_ih", READ, 2, {G, I}});
    c.w_hh = memory(&held, args[13], 'f', (expected){"w_hh", READ, 2, {G, H}});
    c.states = memory(&held, args[14], 'f', (expected){"states", READ, 3, {T + 1, B, H}});
    c.c_states = memory(&held, args[15], 'f', (expected){"c_states", of_lstm, 3, {T + 1, B, H}});
    c.gates = memory(&held, args[16], 'f', (expected){"gates", of_gates, 3, {T, B, G}});
    c.m = memory(&held, args[17], 'f', (expected){"m", of_gru, 3, {T, B, H}});
    c.g_output = memory(&held, args[18], 'f', (expected){"g_output", OPTIONAL, 3, {T, B, H}});
    c.g_h = memory(&held, args[19], 'f', (expected){"g_h", WRITE, 3, {1, B, H}});
    c.g_c = memory(&held, args[20], 'f', (expected){"g_c", of_lstm | WRITE, 3, {1, B, H}});
    c.wants_g_h = args[21] == Py_True;
    c.finishes = args[29] == Py_True;
    c.g_sums = memory(&held, args[22], 'f', (expected){"g_sums", WRITE, 3, {T, B, G}});
    c.g_recurrent =
        memory(&held, args[23], 'f', (expected){"g_recurrent", of_gru | WRITE, 3, {T, B, G}});
    c.g_x = memory(&held, args[24], 'f', (expected){"g_x", WRITE | OPTIONAL, 3, {T, B, I}});
    c.g_w_ih = memory(&held, args[25], 'f', (expected){"g_w_ih", WRITE | OPTIONAL, 2, {G, I}});
    c.g_w_hh = memory(&held, args[26], 'f', (expected){"g_w_hh", WRITE | OPTIONAL, 2, {G, H}});
    c.g_b_ih = memory(&held, args[27], 'f', (expected){"g_b_ih", WRITE | OPTIONAL, 1, {G}});
    c.g_b_hh = memory(&held, args[28], 'f', (expected){"g_b_hh", WRITE | OPTIONAL, 1, {G}});
    void *owner = NULL;
    if (!PyErr_Occurred() && !c.x == !c.ids)
        PyErr_SetString(PyExc_TypeError, "expected x or ids");
    if (!PyErr_Occurred() && in_range("ids", c.ids, T * B, I) &&
        in_range("lengths", s->lengths, B, T + 1))
        c.room = allocate_room(s, gates, held.format, &owner);
    if (owner) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        if (gates == LSTM)
            table->lstm_backward(&c);
        else if (gates == GRU)
            table->gru_backward(&c);
        else
            table->rnn_backward(&c);
        Py_END_ALLOW_THREADS
        free(owner);
    }
    return finish(&held);
}

/* ---- losses and normalization */

static ptrdiff_t read_size(PyObject *object)
{
    ptrdiff_t size = PyLong_AsSsize_t(object);
    if (size < 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "a size is negative");
    return size;
}

/* Whether all classes are in range or ignored; else with an error set. */
static int are_classes(const int64_t *target, ptrdiff_t rows, ptrdiff_t classes,
                       int64_t ignore_index)
{
    if (rows && !classes) {
        PyErr_SetString(PyExc_ValueError, "logits: got no classes");
        return 0;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        if ((target[r] < 0 || target[r] >= classes) && target[r] != ignore_index) {
            PyErr_Format(PyExc_IndexError, "target: got %lld, expected 0 to %zd",
                         (long long)target[r], classes - 1);
            return 0;
        }
    return 1;
}

static PyObject *cross_entropy_forward(PyObject *self, PyObject *const *args,
                                       Py_ssize_t count)
{
    if (!has_count("cross_entropy_forward", count, 10))
        return NULL;
    (void)self;
    ptrdiff_t N = read_size(args[0]), V = read_size(args[1]);
    loss_call c = {.rows = N, .classes = V};
    arrays held = {.count = 0};
    c.logits = memory(&held, args[2], 'f', (expected){"logits", READ, 2, {N, V}});
    c.target = memory(&held, args[3], 'i', (expected){"target", READ, 1, {N}});
    c.weight = memory(&held, args[4], 'f', (expected){"weight", OPTIONAL, 1, {V}});
    c.ignore_index = PyLong_AsLongLong(args[5]);
    c.label_smoothing = PyFloat_AsDouble(args[6]);
    c.exps = memory(&held, args[7], 'f', (expected){"exps", WRITE, 2, {N, V}});
    c.sums = memory(&held, args[8], 'f', (expected){"sums", WRITE, 1, {N}});
    c.losses = memory(&held, args[9], 'f', (expected){"losses", WRITE, 1, {N}});
    if (!PyErr_Occurred() && are_classes(c.target, N, V, c.ignore_index)) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        table->cross_entropy_forward(&c);
        Py_END_ALLOW_THREADS
    }
    return finish(&held);
}

static PyObject *cross_entropy_backward(PyObject *self, PyObject *const *args,
                                        Py_ssize_t count)
{
    if (!has_count("cross_entropy_backward", count, 11))
        return NULL;
    (void)self;
    ptrdiff_t N = read_size(args[0]), V = read_size(args[1]);
    loss_back_call c = {.rows = N, .classes = V, .scale_is_shared = args[9] == Py_True};
    arrays held = {.count = 0};
    c.exps = memory(&held, args[2], 'f', (expected){"exps", READ, 2, {N, V}});
    c.sums = memory(&held, args[3], 'f', (expected){"sums", READ, 1, {N}});
    c.target = memory(&held, args[4], 'i', (expected){"target", READ, 1, {N}});
    c.weight = memory(&held, args[5], 'f', (expected){"weight", OPTIONAL, 1, {V}});
    c.ignore_index = PyLong_AsLongLong(args[6]);
    c.label_smoothing = PyFloat_AsDouble(args[7]);
    ptrdiff_t scales = c.scale_is_shared ? 1 : N;
    c.scale = memory(&held, args[8], 'f', (expected){"scale", READ, 1, {scales}});
    c.g = memory(&held, args[10], 'f', (expected){"g", WRITE, 2, {N, V}});
    if (!PyErr_Occurred() && are_classes(c.target, N, V, c.ignore_index)) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        table->cross_entropy_backward(&c);
        Py_END_ALLOW_THREADS
    }
    return finish(&held);
}

static PyObject *layer_norm_forward(PyObject *self, PyObject *const *args,
                                    Py_ssize_t count)
{
    if (!has_count("layer_norm_forward", count, 9))
        return NULL;
    (void)self;
    ptrdiff_t N = read_size(args[0]), D = read_size(args[1]);
    norm_call c = {.rows = N, .size = D, .eps = PyFloat_AsDouble(args[2])};
    arrays held = {.count = 0};
    c.x = memory(&held, args[3], 'f', (expected){"x", READ, 2, {N, D}});
    c.weight = memory(&held, args[4], 'f', (expected){"weight", OPTIONAL, 1, {D}});
    c.bias = memory(&held, args[5], 'f', (expected){"bias", OPTIONAL, 1, {D}});
    c.normed = memory(&held, args[6], 'f', (expected){"normed", WRITE, 2, {N, D}});
    c.scale = memory(&held, args[7], 'f', (expected){"scale", WRITE, 1, {N}});
    c.out = memory(&held, args[8], 'f', (expected){"out", WRITE, 2, {N, D}});
    if (!PyErr_Occurred()) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        table->layer_norm_forward(&c);
        Py_END_ALLOW_THREADS
    }
    return finish(&held);
}

static PyObject *layer_norm_backward(PyObject *self, PyObject *const *args,
                                     Py_ssize_t count)
{
    if (!has_count("layer_norm_backward", count, 9))
        return NULL;
    (void)self;
    ptrdiff_t N = read_size(args[0]), D = read_size(args[1]);
    norm_back_call c = {.rows = N, .size = D};
    arrays held = {.count = 0};
    c.normed = memory(&held, args[2], 'f', (expected){"normed", READ, 2, {N, D}});
    c.scale = memory(&held, args[3], 'f', (expected){"scale", READ, 1, {N}});
    c.weight = memory(&held, args[4], 'f', (expected){"weight", OPTIONAL, 1, {D}});
    c.g = memory(&held, args[5], 'f', (expected){"g", READ, 2, {N, D}});
    c.g_x = memory(&held, args[6], 'f', (expected){"g_x", WRITE | OPTIONAL, 2, {N, D}});
    c.g_weight = memory(&held, args[7], 'f', (expected){"g_weight", WRITE | OPTIONAL, 1, {D}});
    c.g_bias = memory(&held, args[8], 'f', (expected){"g_bias", WRITE | OPTIONAL, 1, {D}});
    if (!PyErr_Occurred()) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        table->layer_norm_backward(&c);
        Py_END_ALLOW_THREADS
    }
    return finish(&held);
}

static PyObject *embedding_backward(PyObject *self, PyObject *const *args,
                                    Py_ssize_t count)
{
    if (!has_count("embedding_backward", count, 6))
        return NULL;
    (void)self;
    ptrdiff_t rows = read_size(args[0]), D = read_size(args[1]), N = read_size(args[2]);
    arrays held = {.count = 0};
    const int64_t *ids = memory(&held, args[3], 'i', (expected){"ids", READ, 1, {rows}});
    const void *g = memory(&held, args[4], 'f', (expected){"g", READ, 2, {rows, D}});
    void *table_ = memory(&held, args[5], 'f', (expected){"table", WRITE, 2, {N, D}});
    if (!PyErr_Occurred() && in_range("ids", ids, rows, N)) {
        const kernel_table *table = find_table(held.format);
        Py_BEGIN_ALLOW_THREADS
        table->embedding_backward(ids, g, rows, D, table_);
        Py_END_ALLOW_THREADS
    }
    return finish(&held);
}

/* ---- lists of arrays */

/* The memory of the i-th array of a list, (count,), of any number of dims. */
static void *listed(arrays *held, PyObject *list, Py_ssize_t i, int use,
                    ptrdiff_t *count)
{
    if (PyErr_Occurred())
        return NULL;
    PyObject *array = PySequence_GetItem(list, i);
    if (!array)
        return NULL;
    const Py_buffer *view = take_buffer(held, array, 'f', use, "arrays");
    Py_DECREF(array); /* the buffer holds it */
    if (!view)
        return NULL;
    ptrdiff_t size = view->len / view->itemsize;
    if (*count >= 0 && *count != size)
        return PyErr_SetString(PyExc_ValueError, "arrays differ in size"), NULL;
    *count = size;
    return view->buf;
}

static PyObject *squares(PyObject *self, PyObject *list)
{
    (void)self;
    double total = 0;
    Py_ssize_t length = PySequence_Size(list);
    for (Py_ssize_t i = 0; i < length && !PyErr_Occurred(); i++) {
        arrays held = {.count = 0};
        ptrdiff_t count = -1;
        const void *x = listed(&held, list, i, READ, &count);
        if (x)
            total += find_table(held.format)->squares(x, count);
        release(&held);
    }
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(total);
}

/* All arrays are looked at before the first one is changed. */
static PyObject *scale(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("scale", count, 2))
        return NULL;
    double factor = PyFloat_AsDouble(args[1]);
    Py_ssize_t length = PySequence_Size(args[0]);
    for (int changes = 0; changes < 2; changes++)
        for (Py_ssize_t i = 0; i < length && !PyErr_Occurred(); i++) {
            arrays held = {.count = 0};
            ptrdiff_t size = -1;
            void *x = listed(&held, args[0], i, WRITE, &size);
            if (x && changes)
                find_table(held.format)->scale(x, size, factor);
            release(&held);
        }
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs or None, decoupled,
   new_avg, keep_sq, new_sq, floor, rate, decay), in place. */
static PyObject *adam_step(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("adam_step", count, 12))
        return NULL;
    double numbers[6];
    for (int i = 0; i < 6; i++)
        numbers[i] = PyFloat_AsDouble(args[6 + i]);
    const adam_settings settings = {numbers[0], numbers[1], numbers[2],
                                    numbers[3], numbers[4], numbers[5],
                                    args[5] == Py_True};
    Py_ssize_t length = PySequence_Size(args[0]);
    for (int list = 1; list < 5 && !PyErr_Occurred(); list++)
        if (!(list == 4 && args[4] == Py_None) && PySequence_Size(args[list]) != length)
            PyErr_SetString(PyExc_ValueError, "lists differ in length");
    for (int changes = 0; changes < 2; changes++)
        for (Py_ssize_t i = 0; i < length && !PyErr_Occurred(); i++) {
            arrays held = {.count = 0};
            adam_arrays a = {.size = -1};
            a.param = listed(&held, args[0], i, WRITE, &a.size);
            a.grad = listed(&held, args[1], i, READ, &a.size);
            a.exp_avg = listed(&held, args[2], i, WRITE, &a.size);
            a.exp_avg_sq = listed(&held, args[3], i, WRITE, &a.size);
            if (args[4] != Py_None)
                a.max_exp_avg_sq = listed(&held, args[4], i, WRITE, &a.size);
            if (!PyErr_Occurred() && changes)
                find_table(held.format)->adam_step(&a, &settings);
            release(&held);
        }
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* ---- the module */

static PyObject *use(PyObject *self, PyObject *name)
{
    (void)self;
    const char *wanted = PyUnicode_AsUTF8AndSize(name, NULL);
    if (!wanted)
        return NULL;
    for (const instruction_set *set = instruction_sets; set->name; set++)
        if ((!*wanted || !strcmp(set->name, wanted)) && is_supported(set->name)) {
            in_use = set;
            return PyUnicode_FromString(set->name);
        }
    PyErr_Format(PyExc_ValueError, "this processor has no instruction set '%s'", wanted);
    return NULL;
}

#define METHOD(name, flags, doc) {#name, (PyCFunction)(void (*)(void))name, flags, doc}
static PyMethodDef methods[] = {
    METHOD(layer_forward, METH_FASTCALL, "Run the forward of RNN, LSTM or GRU."),
    METHOD(layer_backward, METH_FASTCALL, "Run the backward of RNN, LSTM or GRU."),
    METHOD(cross_entropy_forward, METH_FASTCALL, "Losses of rows, exps and their sums."),
    METHOD(cross_entropy_backward, METH_FASTCALL, "The gradient of the logits."),
    METHOD(layer_norm_forward, METH_FASTCALL, "Normalize rows."),
    METHOD(layer_norm_backward, METH_FASTCALL, "Gradients of layer_norm_forward."),
    METHOD(embedding_backward, METH_FASTCALL, "Add rows to those of a table."),
    METHOD(squares, METH_O, "The sum of the squares of all elements of a list."),
    METHOD(scale, METH_FASTCALL, "Multiply the arrays of a list by a number."),
    METHOD(adam_step, METH_FASTCALL, "Take a step of Adam for lists of arrays."),
    METHOD(use, METH_O, "Use an instruction set, '' for the best; returns its name."),
    {NULL, NULL, 0, NULL},
};

static int choose_best(PyObject *module)
{
    (void)module;
    for (in_use = instruction_sets; !is_supported(in_use->name);)
        in_use++;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, choose_best},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* kernels write to their arguments alone */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_c", "Kernels in C; see api.h.", 0, methods, slots, NULL, NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__c(void)
{
    return PyModuleDef_Init(&definition);
}
