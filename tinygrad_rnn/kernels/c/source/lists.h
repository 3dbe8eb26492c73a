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

/* The items of a list or a tuple in a tuple of the call's own: other threads, which run
   while C works, may change the list. */
static PyObject *as_tuple(arrays *call, PyObject *object)
{
    return as_list(call, object) ? hold(call, PySequence_Tuple(object)) : NULL;
}

/* Checked arrays that belong together; `scale` has but a param. */
typedef struct {
    const kernel_table *table; /* of their type */
    adam_arrays arrays;
} listed_arrays;

static listed_arrays *allocate_list(arrays *call, PyObject *tuple)
{
    if (call->failed)
        return NULL;
    listed_arrays *items = calloc((size_t)PyTuple_Size(tuple) + 1, sizeof(*items));
    return items ? items : (PyErr_NoMemory(), fail(call));
}

/* Whether all arrays of a list are C-contiguous, aligned and in native byte order. */
static PyObject *all_contiguous(PyObject *self, PyObject *given)
{
    (void)self;
    arrays held = {.count = 0}, *call = &held;
    PyObject *list = as_list(call, given);
    return finish(call, list ? PyBool_FromLong(are_contiguous(list)) : NULL);
}

/* scale(arrays, factor), in place. All arrays are looked at before one is changed.
   Returns whether they were; False if one is not contiguous. */
static PyObject *scale(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("scale", count, 2))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    double factor = PyFloat_AsDouble(args[1]), elements = 0;
    PyObject *list = PyErr_Occurred() ? fail(call) : as_tuple(call, args[0]);
    if (list && !are_contiguous(list))
        return finish(call, PyBool_FromLong(0));
    listed_arrays *items = allocate_list(call, list);
    Py_ssize_t length = call->failed ? 0 : PyTuple_Size(list);
    for (Py_ssize_t i = 0; !call->failed && i < length; i++) {
        adam_arrays *a = &items[i].arrays;
        a->size = -1;
        call->type = 0;
        a->param = listed(call, list, i, WRITE, &a->size);
        items[i].table = find_table(call->type);
        elements += (double)a->size;
    }
    PyThreadState *others = elements > LONG_WORK / 4 ? PyEval_SaveThread() : NULL;
    for (Py_ssize_t i = 0; !call->failed && i < length; i++)
        items[i].table->scale(items[i].arrays.param, items[i].arrays.size, factor);
    if (others)
        PyEval_RestoreThread(others);
    free(items);
    return finish(call, PyBool_FromLong(1));
}

/* Whether all of a list are arrays of floats that C can change where they are. */
static int are_writable(PyObject *list)
{
    for (Py_ssize_t i = 0; i < length_of(list); i++) {
        PyObject *item = item_of(list, i);
        int type = PyArray_Check(item) ? PyArray_TYPE((PyArrayObject *)item) : 0;
        if ((type != NPY_FLOAT && type != NPY_DOUBLE) || !PyArray_ISCARRAY((PyArrayObject *)item))
            return 0;
    }
    return 1;
}

/* clip(arrays, max_norm): scales arrays in place, so that their common norm is at most
   max_norm. Returns the norm that they had, and whether they were scaled. Returns None,
   with nothing done, where an array cannot be changed in place, or where the squares
   leave the range in which their sum has all digits. */
static PyObject *clip(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (!has_count("clip", count, 2))
        return NULL;
    arrays held = {.count = 0}, *call = &held;
    double max_norm = PyFloat_AsDouble(args[1]), total = 0;
    PyObject *list = PyErr_Occurred() ? fail(call) : as_list(call, args[0]);
    if (!list)
        return finish(call, NULL);
    if (!are_writable(list))
        Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < length_of(list); i++) {
        PyArrayObject *array = (PyArrayObject *)item_of(list, i);
        total += find_table(PyArray_TYPE(array))->squares(PyArray_DATA(array),
                                                          PyArray_SIZE(array));
    }
    if (!(total > 1e-28 && total < HUGE_VAL))
        Py_RETURN_NONE;
    double norm = sqrt(total), factor = max_norm / (norm + 1e-6);
    for (Py_ssize_t i = 0; factor < 1 && i < length_of(list); i++) {
        PyArrayObject *array = (PyArrayObject *)item_of(list, i);
        find_table(PyArray_TYPE(array))->scale(PyArray_DATA(array), PyArray_SIZE(array), factor);
    }
    return Py_BuildValue("dO", norm, factor < 1 ? Py_True : Py_False);
}

/* all_below(ids, count): whether ids are 64 bits wide, laid out in order, and all in
   [0, count). False says nothing: it is for NumPy to find out. */
static PyObject *all_below(PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    (void)self;
    if (!has_count("all_below", given, 2))
        return NULL;
    npy_int64 count = PyLong_AsLongLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    PyArrayObject *array = PyArray_Check(args[0]) ? (PyArrayObject *)args[0] : NULL;
    if (!array || !PyArray_ISSIGNED(array) || PyArray_ITEMSIZE(array) != 8 ||
        !PyArray_ISINTEGER(array) || !PyArray_ISCARRAY_RO(array))
        Py_RETURN_FALSE;
    const npy_int64 *ids = PyArray_DATA(array);
    npy_uint64 largest = 0; /* a negative id is a large one without its sign */
    for (npy_intp i = 0; i < PyArray_SIZE(array); i++)
        largest = (npy_uint64)ids[i] > largest ? (npy_uint64)ids[i] : largest;
    return PyBool_FromLong(count > 0 && largest < (npy_uint64)count);
}

/* adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs or None, decoupled,
   new_avg, keep_sq, new_sq, floor, rate, decay), in place. All arrays are looked at
   before one is changed. */
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
            lists[i] = as_tuple(call, args[i]);
    for (int i = 1; i < 5 && !call->failed; i++)
        if (lists[i] && length_of(lists[i]) != length_of(lists[0])) {
            PyErr_SetString(PyExc_ValueError, "lists differ in length");
            fail(call);
        }
    listed_arrays *items = allocate_list(call, lists[0]);
    Py_ssize_t length = call->failed ? 0 : PyTuple_Size(lists[0]);
    double elements = 0;
    for (Py_ssize_t i = 0; !call->failed && i < length; i++) {
        arrays one = {.count = 0};
        adam_arrays *a = &items[i].arrays;
        a->size = -1;
        a->param = listed(&one, lists[0], i, WRITE, &a->size);
        a->grad = listed(&one, lists[1], i, NO_COPY, &a->size);
        a->exp_avg = listed(&one, lists[2], i, WRITE, &a->size);
        a->exp_avg_sq = listed(&one, lists[3], i, WRITE, &a->size);
        if (lists[4])
            a->max_exp_avg_sq = listed(&one, lists[4], i, WRITE, &a->size);
        items[i].table = find_table(one.type);
        elements += (double)a->size;
        call->failed = one.failed;
        release(&one);
    }
    PyThreadState *others = elements > LONG_WORK / 4 ? PyEval_SaveThread() : NULL;
    for (Py_ssize_t i = 0; !call->failed && i < length; i++)
        items[i].table->adam_step(&items[i].arrays, &settings);
    if (others)
        PyEval_RestoreThread(others);
    free(items);
    return none_of(call);
}
