/* The calls of cross entropy, layer normalization, embeddings and linear layers. */

/* Whether all classes are in range or ignored; else with an error set. */
static int are_classes(arrays *call, const loss_call *c)
{
    if (c->rows && !c->classes) {
        PyErr_SetString(PyExc_ValueError, "logits: got no classes");
        return fail(call) != NULL;
    }
    for (ptrdiff_t r = 0; r < c->rows; r++) {
        int64_t class = c->target[r];
        if ((class < 0 || class >= c->classes) && class != c->ignore_index) {
            PyErr_Format(PyExc_IndexError, "target: got %lld, expected 0 to %zd",
                         (long long)class, c->classes - 1);
            call->failed = 1;
            return 0;
        }
    }
    return 1;
}

static int is_matrix(arrays *call, PyObject *object)
{
    if (PyArray_Check(object) && PyArray_NDIM((PyArrayObject *)object) == 2)
        return 1;
    PyErr_SetString(PyExc_TypeError, "expected an array with two dims");
    return fail(call) != NULL;
}

/* What both calls of cross entropy begin with: target, weight, ignore_index and
   label_smoothing follow each other in args. */
static void read_loss(arrays *call, loss_call *c, PyObject *like, PyObject *const *args)
{
    if (!is_matrix(call, like))
        return;
    c->rows = PyArray_DIM((PyArrayObject *)like, 0);
    c->classes = PyArray_DIM((PyArrayObject *)like, 1);
    c->ignore_index = PyLong_AsLongLong(args[2]);
    c->label_smoothing = PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred())
        fail(call);
}

static void read_classes(arrays *call, loss_call *c, PyObject *target, PyObject *weight)
{
    c->target = data_of(target);
    c->weight = memory(call, weight, 'f', (expected){"weight", OPTIONAL, 1, {c->classes}});
    if (!call->failed)
        are_classes(call, c);
}

/* cross_entropy_forward(logits, target, weight, ignore_index, label_smoothing, reduces,
   divides) returns ((loss,), (exps, sums, target, total)); the loss is that of each row,
   their sum if it reduces, or their mean if it also divides. */
static PyObject *cross_entropy_forward(PyObject *self, PyObject *const *args,
                                       Py_ssize_t count)
{
    (void)self;
    if (!has_count("cross_entropy_forward", count, 7))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    loss_call c = {0};
    read_loss(call, &c, args[0], args + 1);
    ptrdiff_t shape[] = {c.rows, c.classes};
    c.logits = memory(call, args[0], 'f', (expected){"logits", READ, 2, {c.rows, c.classes}});
    PyObject *target = checked(call, args[1], 'i', (expected){"target", READ, 1, {c.rows}});
    read_classes(call, &c, target, args[2]);
    PyObject *exps = new_array(call, 2, shape), *sums = new_array(call, 1, shape);
    PyObject *losses = new_array(call, 1, shape), *loss = losses, *result = NULL;
    if (call->failed)
        return finish(call, NULL);
    c.exps = data_of(exps), c.sums = data_of(sums), c.losses = data_of(losses);
    int is_long = (double)c.rows * c.classes * 16 > LONG_WORK;
    PyThreadState *others = is_long ? PyEval_SaveThread() : NULL;
    find_table(call->type)->cross_entropy_forward(&c);
    if (others)
        PyEval_RestoreThread(others);
    if (args[5] == Py_True) {
        double value = args[6] == Py_True ? c.loss / c.total : c.loss;
        loss = new_array(call, 0, NULL);
        if (loss && call->type == NPY_FLOAT)
            *(float *)data_of(loss) = (float)value;
        else if (loss)
            *(double *)data_of(loss) = value;
    }
    PyObject *total = hold(call, PyFloat_FromDouble(c.total));
    if (!call->failed) {
        PyObject *outputs = hold(call, PyTuple_Pack(1, loss));
        PyObject *kept = hold(call, PyTuple_Pack(4, exps, sums, target, total));
        result = call->failed ? NULL : PyTuple_Pack(2, outputs, kept);
    }
    return finish(call, result);
}

/* cross_entropy_backward(g, target, weight, ignore_index, label_smoothing, reduces,
   divides, exps, sums, total) returns the gradient of the logits. */
static PyObject *cross_entropy_backward(PyObject *self, PyObject *const *args,
                                        Py_ssize_t count)
{
    (void)self;
    if (!has_count("cross_entropy_backward", count, 10))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    loss_call c = {0};
    read_loss(call, &c, args[7], args + 1);
    ptrdiff_t shape[] = {c.rows, c.classes};
    c.exps = memory(call, args[7], 'f', (expected){"exps", READ, 2, {c.rows, c.classes}});
    c.sums = memory(call, args[8], 'f', (expected){"sums", READ, 1, {c.rows}});
    PyObject *target = checked(call, args[1], 'i', (expected){"target", READ, 1, {c.rows}});
    read_classes(call, &c, target, args[2]);
    c.scale_is_shared = args[5] == Py_True;
    double total = PyFloat_AsDouble(args[9]);
    c.total = args[6] == Py_True ? total : 1;
    c.scale = memory(call, args[0], 'f',
                     (expected){"g", READ, c.scale_is_shared ? 0 : 1, {c.rows}});
    PyObject *g = new_array(call, 2, shape);
    if (call->failed || PyErr_Occurred())
        return call->failed = 1, finish(call, NULL);
    c.g = data_of(g);
    int is_long = (double)c.rows * c.classes > LONG_WORK;
    PyThreadState *others = is_long ? PyEval_SaveThread() : NULL;
    find_table(call->type)->cross_entropy_backward(&c);
    if (others)
        PyEval_RestoreThread(others);
    Py_INCREF(g);
    return finish(call, g);
}

/* The number of elements of an array; -1 with an error set if it is none. */
static ptrdiff_t size_of(arrays *call, PyObject *object)
{
    if (PyArray_Check(object))
        return PyArray_SIZE((PyArrayObject *)object);
    PyErr_SetString(PyExc_TypeError, "expected an array");
    fail(call);
    return -1;
}

/* Whether an object is an array of floats of so many elements; else an error is set. */
static int has_floats(arrays *call, PyObject *object, ptrdiff_t size)
{
    if (call->failed)
        return 0;
    PyArrayObject *array = (PyArrayObject *)object;
    int type = PyArray_Check(object) ? PyArray_TYPE(array) : NPY_VOID;
    int is_float = type == NPY_FLOAT || type == NPY_DOUBLE;
    if (is_float && !call->type)
        call->type = type;
    if (is_float && call->type == type && PyArray_SIZE(array) == size)
        return 1;
    PyErr_SetString(PyExc_ValueError, "got no array, or one of another dtype or size");
    return fail(call) != NULL;
}

/* An array of any shape with so many floats of the call's type, as C takes it. */
static PyObject *plain_floats(arrays *call, PyObject *object, int use, ptrdiff_t size)
{
    if ((object == Py_None && use & OPTIONAL) || !has_floats(call, object, size))
        return NULL;
    return as_plain(call, (PyArrayObject *)object, call->type);
}

/* A new array of the shape of one of the call's type. */
static PyObject *new_of_shape(arrays *call, PyObject *like)
{
    if (call->failed)
        return NULL;
    PyArrayObject *array = (PyArrayObject *)like;
    return new_array(call, PyArray_NDIM(array), PyArray_DIMS(array));
}

/* layer_norm_forward(x, weight, bias, size, eps), of rows of so many elements, returns
   ((out,), (mean, scale)). */
static PyObject *layer_norm_forward(PyObject *self, PyObject *const *args,
                                    Py_ssize_t count)
{
    (void)self;
    ptrdiff_t size;
    if (!has_count("layer_norm_forward", count, 5) || !read_sizes(args + 3, 1, &size))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    norm_call c = {.size = size, .eps = PyFloat_AsDouble(args[4])};
    ptrdiff_t elements = size_of(call, args[0]);
    c.rows = size ? elements / size : 0;
    if (c.rows * size != elements && !call->failed) {
        PyErr_SetString(PyExc_ValueError, "x: got another number of elements");
        fail(call);
    }
    c.x = data_of(plain_floats(call, args[0], READ, elements));
    c.weight = data_of(plain_floats(call, args[1], OPTIONAL, size));
    c.bias = data_of(plain_floats(call, args[2], OPTIONAL, size));
    PyObject *mean = new_array(call, 1, &c.rows), *scale = new_array(call, 1, &c.rows);
    PyObject *out = new_of_shape(call, args[0]), *result = NULL;
    if (call->failed || PyErr_Occurred())
        return call->failed = 1, finish(call, NULL);
    c.mean = data_of(mean), c.scale = data_of(scale), c.out = data_of(out);
    PyThreadState *others = elements > LONG_WORK / 4 ? PyEval_SaveThread() : NULL;
    find_table(call->type)->layer_norm_forward(&c);
    if (others)
        PyEval_RestoreThread(others);
    PyObject *outputs = hold(call, PyTuple_Pack(1, out));
    PyObject *kept = hold(call, PyTuple_Pack(2, mean, scale));
    if (!call->failed)
        result = PyTuple_Pack(2, outputs, kept);
    return finish(call, result);
}

/* layer_norm_backward(g, x, weight, bias, mean, scale, size, needs) returns the
   gradients of x, weight and bias. */
static PyObject *layer_norm_backward(PyObject *self, PyObject *const *args,
                                     Py_ssize_t count)
{
    (void)self;
    ptrdiff_t D;
    if (!has_count("layer_norm_backward", count, 8) || !read_sizes(args + 6, 1, &D))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    PyObject *needs[3], *made[3] = {NULL};
    unpack(call, args[7], 3, needs);
    ptrdiff_t elements = size_of(call, args[1]), N = D ? elements / D : 0;
    if (N * D != elements && !call->failed) {
        PyErr_SetString(PyExc_ValueError, "x: got another number of elements");
        fail(call);
    }
    norm_back_call c = {.rows = N, .size = D};
    c.x = data_of(plain_floats(call, args[1], READ, elements));
    c.mean = memory(call, args[4], 'f', (expected){"mean", READ, 1, {N}});
    c.scale = memory(call, args[5], 'f', (expected){"scale", READ, 1, {N}});
    c.g = data_of(plain_floats(call, args[0], READ, N * D));
    for (int i = 0; i < 3; i++)
        if (needs[i] == Py_True && has_floats(call, args[1 + i], i ? D : N * D))
            made[i] = new_of_shape(call, args[1 + i]);
    c.weight = data_of(plain_floats(call, args[2], OPTIONAL, D));
    if (call->failed)
        return finish(call, NULL);
    c.g_x = data_of(made[0]), c.g_weight = data_of(made[1]), c.g_bias = data_of(made[2]);
    PyThreadState *others = N * D > LONG_WORK / 4 ? PyEval_SaveThread() : NULL;
    find_table(call->type)->layer_norm_backward(&c);
    if (others)
        PyEval_RestoreThread(others);
    PyObject *result = PyTuple_Pack(3, or_none(made[0]), or_none(made[1]), or_none(made[2]));
    return finish(call, result);
}

/* embedding_backward(ids, g, N), of ids and rows of the same number, returns (N, D). */
static PyObject *embedding_backward(PyObject *self, PyObject *const *args,
                                    Py_ssize_t count)
{
    (void)self;
    ptrdiff_t N;
    if (!has_count("embedding_backward", count, 3) || !read_sizes(args + 2, 1, &N))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    ptrdiff_t rows = size_of(call, args[0]);
    if (call->failed || !PyArray_Check(args[1]) ||
        PyArray_NDIM((PyArrayObject *)args[1]) < 1) {
        PyErr_SetString(PyExc_TypeError, "expected arrays");
        return call->failed = 1, finish(call, NULL);
    }
    PyArrayObject *g = (PyArrayObject *)args[1], *ids = (PyArrayObject *)args[0];
    ptrdiff_t D = PyArray_DIM(g, PyArray_NDIM(g) - 1), shape[] = {N, D};
    ptrdiff_t elements;
    if (__builtin_mul_overflow(rows, D, &elements))
        return PyErr_NoMemory(), fail(call), finish(call, NULL);
    const void *values = data_of(plain_floats(call, args[1], READ, elements));
    PyObject *table = new_array(call, 2, shape);
    const int64_t *numbers = NULL;
    if (!call->failed && PyArray_ISINTEGER(ids))
        numbers = data_of(as_plain(call, ids, NPY_INT64));
    if (!call->failed && (!numbers || !in_range("ids", numbers, rows, N))) {
        if (!numbers)
            PyErr_SetString(PyExc_TypeError, "ids: expected integers");
        fail(call);
    }
    if (call->failed)
        return finish(call, NULL);
    PyThreadState *others = elements > LONG_WORK / 4 ? PyEval_SaveThread() : NULL;
    memset(data_of(table), 0, (size_t)PyArray_NBYTES((PyArrayObject *)table));
    find_table(call->type)->embedding_backward(numbers, values, rows, D, data_of(table));
    if (others)
        PyEval_RestoreThread(others);
    Py_INCREF(table);
    return finish(call, table);
}

/* What both calls of a linear layer begin with: sizes and the arrays x and weight. Fails,
   without an error, where a size is 0 or a product is too large for C. */
static int begin_linear(arrays *call, linear_call *c, PyObject *x, PyObject *weight,
                        PyObject *limit)
{
    ptrdiff_t size = size_of(call, x);
    if (call->failed || !is_matrix(call, weight))
        return 0;
    c->output = PyArray_DIM((PyArrayObject *)weight, 0);
    c->input = PyArray_DIM((PyArrayObject *)weight, 1);
    double work = (double)size * c->output, most = PyFloat_AsDouble(limit);
    if (PyErr_Occurred())
        return fail(call) != NULL;
    if (!work || !c->input || work >= most)
        return 0;
    int dims = PyArray_NDIM((PyArrayObject *)x);
    c->rows = size / c->input;
    if (dims < 1 || PyArray_DIM((PyArrayObject *)x, dims - 1) != c->input)
        return PyErr_SetString(PyExc_ValueError, "x: got another shape"), fail(call), 0;
    c->x = data_of(plain_floats(call, x, READ, size));
    c->weight = data_of(plain_floats(call, weight, READ, c->output * c->input));
    return !call->failed;
}

static void *linear_memory(arrays *call, linear_call *c)
{
    size_t item_size = call->type == NPY_FLOAT ? sizeof(float) : sizeof(double);
    return call->failed ? NULL : allocate(call, linear_room(c, item_size), &c->room);
}

static PyObject *none_of(arrays *call)
{
    if (!call->failed)
        Py_INCREF(Py_None);
    return finish(call, call->failed ? NULL : Py_None);
}

/* linear_forward(x, weight, bias, limit) returns x W^T + b; None if its product has so
   many multiplications or none. */
static PyObject *linear_forward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("linear_forward", count, 4))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    linear_call c = {0};
    if (!begin_linear(call, &c, args[0], args[1], args[3]))
        return none_of(call);
    c.bias = data_of(plain_floats(call, args[2], OPTIONAL, c.output));
    ptrdiff_t shape[NPY_MAXDIMS];
    int dims = PyArray_NDIM((PyArrayObject *)args[0]);
    memcpy(shape, PyArray_DIMS((PyArrayObject *)args[0]), (size_t)dims * sizeof(*shape));
    shape[dims - 1] = c.output;
    PyObject *y = new_array(call, dims, shape);
    c.y = data_of(y);
    void *owner = linear_memory(call, &c);
    if (owner) {
        find_table(call->type)->linear_forward(&c);
        free(owner);
        Py_INCREF(y);
    }
    return finish(call, y);
}

/* linear_backward(g, x, weight, needs, limit) returns the gradients of x, weight and
   bias; None where linear_forward() does. */
static PyObject *linear_backward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("linear_backward", count, 5))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    linear_call c = {0};
    PyObject *needs[3], *made[3] = {NULL};
    unpack(call, args[3], 3, needs);
    if (call->failed || !begin_linear(call, &c, args[1], args[2], args[4]))
        return none_of(call);
    c.g = data_of(plain_floats(call, args[0], READ, c.rows * c.output));
    made[0] = needs[0] == Py_True ? new_of_shape(call, args[1]) : NULL;
    made[1] = needs[1] == Py_True ? new_of_shape(call, args[2]) : NULL;
    made[2] = needs[2] == Py_True ? new_array(call, 1, &c.output) : NULL;
    c.g_x = data_of(made[0]), c.g_weight = data_of(made[1]), c.g_bias = data_of(made[2]);
    void *owner = linear_memory(call, &c);
    if (owner) {
        find_table(call->type)->linear_backward(&c);
        free(owner);
    }
    PyObject *result = PyTuple_Pack(3, or_none(made[0]), or_none(made[1]), or_none(made[2]));
    return finish(call, result);
}
