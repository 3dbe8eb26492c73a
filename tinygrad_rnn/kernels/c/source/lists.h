/* The calls of clipping and the optimizers, of lists of arrays in one call. */

/* The object, if it is a list or a tuple; else an error is set. */
static PyObject *as_list(arrays *call, PyObject *object)
{
    if (PyList_Check(object) || PyTuple_Check(object))
        return object;
    PyErr_SetString(PyExc_TypeError, "expected arrays in a list");
    return fail(call);
}

static Py_ssize_t length_of(PyObject *list)
{
    return PyList_Check(list) ? PyList_Size(list) : PyTuple_Size(list);
}

static PyObject *item_of(PyObject *list, Py_ssize_t i)
{
    return PyList_Check(list) ? PyList_GetItem(list, i) : PyTuple_GetItem(list, i);
}

/* The memory of the i-th array of a list, of any shape. `*size` is its number of
   elements, which has to be that of those before, if it is not -1. */
static void *listed(arrays *call, PyObject *list, Py_ssize_t i, int use, ptrdiff_t *size)
{
    PyObject *object = call->failed ? NULL : item_of(list, i);
    if (!object)
        return fail(call);
    if (!PyArray_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "expected arrays in a list");
        return fail(call);
    }
    PyArrayObject *array = (PyArrayObject *)object;
    if (*size < 0)
        *size = PyArray_SIZE(array);
    PyObject *plain = plain_floats(call, object, READ, *size);
    if (!call->failed && ((use & WRITE && !PyArray_ISWRITEABLE(array)) ||
                          (use & (WRITE | NO_COPY) && plain != object))) {
        PyErr_SetString(PyExc_ValueError, "expected arrays that are contiguous and writable");
        return fail(call);
    }
    return call->failed ? NULL : data_of(plain);
}

static PyObject *squares(PyObject *self, PyObject *given)
{
    (void)self;
    double total = 0;
    arrays held = {.count = 0}, *call = &held;
    PyObject *list = as_list(call, given);
    for (Py_ssize_t i = 0; !call->failed && i < length_of(list); i++) {
        ptrdiff_t size = -1;
        arrays one = {.count = 0};
        const void *x = listed(&one, list, i, READ, &size);
        if (x)
            total += find_table(one.type)->squares(x, size);
        call->failed = one.failed;
        release(&one);
    }
    return finish(call, call->failed ? NULL : PyFloat_FromDouble(total));
}

/* Whether no array of a list is laid out as C cannot take it. */
static int are_contiguous(PyObject *list)
{
    for (Py_ssize_t i = 0; i < length_of(list); i++) {
        PyObject *item = item_of(list, i);
        if (PyArray_Check(item) && !PyArray_ISCARRAY_RO((PyArrayObject *)item))
            return 0;
    }
    return 1;
}

/* scale(arrays, factor), in place. All arrays are looked at before one is changed.
   Returns whether they were; False if one is not contiguous. */
static PyObject *scale(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("scale", count, 2))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    double factor = PyFloat_AsDouble(args[1]);
    PyObject *list = PyErr_Occurred() ? fail(call) : as_list(call, args[0]);
    if (list && !are_contiguous(list))
        return finish(call, PyBool_FromLong(0));
    for (int changes = 0; changes < 2; changes++)
        for (Py_ssize_t i = 0; !call->failed && i < length_of(list); i++) {
            ptrdiff_t size = -1;
            call->type = 0;
            void *x = listed(call, list, i, WRITE, &size);
            if (x && changes)
                find_table(call->type)->scale(x, size, factor);
        }
    return finish(call, PyBool_FromLong(1));
}

/* adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs or None, decoupled,
   new_avg, keep_sq, new_sq, floor, rate, decay), in place. */
static PyObject *adam_step(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("adam_step", count, 12))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    double numbers[6];
    for (int i = 0; i < 6; i++)
        numbers[i] = PyFloat_AsDouble(args[6 + i]);
    const adam_settings settings = {numbers[0], numbers[1], numbers[2],
                                    numbers[3], numbers[4], numbers[5],
                                    args[5] == Py_True};
    PyObject *lists[5] = {NULL};
    if (PyErr_Occurred())
        fail(call);
    for (int i = 0; i < 5 && !call->failed; i++)
        if (args[i] != Py_None || i < 4)
            lists[i] = as_list(call, args[i]);
    for (int i = 1; i < 5 && !call->failed; i++)
        if (lists[i] && length_of(lists[i]) != length_of(lists[0])) {
            PyErr_SetString(PyExc_ValueError, "lists differ in length");
            fail(call);
        }
    for (int changes = 0; changes < 2; changes++)
        for (Py_ssize_t i = 0; !call->failed && i < length_of(lists[0]); i++) {
            arrays one = {.count = 0};
            adam_arrays a = {.size = -1};
            a.param = listed(&one, lists[0], i, WRITE, &a.size);
            a.grad = listed(&one, lists[1], i, NO_COPY, &a.size);
            a.exp_avg = listed(&one, lists[2], i, WRITE, &a.size);
            a.exp_avg_sq = listed(&one, lists[3], i, WRITE, &a.size);
            if (lists[4])
                a.max_exp_avg_sq = listed(&one, lists[4], i, WRITE, &a.size);
            if (!one.failed && changes)
                find_table(one.type)->adam_step(&a, &settings);
            call->failed = one.failed;
            release(&one);
        }
    return none_of(call);
}
