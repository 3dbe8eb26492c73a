/* NumPy's arrays: checked on the way in, allocated on the way out.

   A call holds the arrays that it has copied or made until it ends. Once one check has
   failed, those that follow do nothing, and the error is raised at the end. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#undef I /* of complex.h, which NumPy includes */
#include <stdlib.h>

#include "variants.h"

static const instruction_set *in_use; /* set at import */
static PyObject *pooled_empty;        /* backend.pool.empty, for large arrays */

enum { MAX_HELD = 48, MAX_DIMS = 3, POOLED = 64 << 10 /* bytes */ };

typedef struct {
    PyObject *held[MAX_HELD];
    int count;
    int type;   /* NPY_FLOAT or NPY_DOUBLE: of all floats of the call; 0 before the first */
    int failed; /* whether an error is set */
} arrays;

enum { READ = 0, WRITE = 1, OPTIONAL = 2, NO_COPY = 4 };

typedef struct {
    const char *name;
    int use, dims;
    ptrdiff_t shape[MAX_DIMS];
} expected;

static void *fail(arrays *call)
{
    call->failed = 1;
    return NULL;
}

/* Hand a new reference to the call; returns it, borrowed. */
static PyObject *hold(arrays *call, PyObject *made)
{
    if (!made)
        return fail(call);
    return call->held[call->count++] = made;
}

static void *data_of(PyObject *array)
{
    return array && array != Py_None ? PyArray_DATA((PyArrayObject *)array) : NULL;
}

/* An array as C-contiguous numbers of a type: itself, or a copy. */
static PyObject *as_plain(arrays *call, PyArrayObject *array, int type)
{
    int is_type = PyArray_TYPE(array) == type;
    if (type == NPY_INT64) /* long and long long may both have 64 bits */
        is_type = PyArray_ISSIGNED(array) && PyArray_ITEMSIZE(array) == 8;
    if (is_type && PyArray_ISCARRAY_RO(array))
        return (PyObject *)array;
    int flags = NPY_ARRAY_IN_ARRAY | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST;
    return hold(call, PyArray_FromArray(array, PyArray_DescrFromType(type), flags));
}

static int has_shape(PyArrayObject *array, const expected *want)
{
    if (PyArray_NDIM(array) != want->dims)
        return 0;
    for (int i = 0; i < want->dims; i++)
        if (PyArray_DIM(array, i) != want->shape[i])
            return 0;
    return 1;
}

/* An array of this kind, 'f' for floats and 'i' for integers, as C takes it: contiguous,
   floats of the call's type, integers with 64 bits, itself or a copy. NULL for None if
   it is optional, or with an error set. */
static PyObject *checked(arrays *call, PyObject *object, char kind, expected want)
{
    if (call->failed || (object == Py_None && want.use & OPTIONAL))
        return NULL;
    if (!PyArray_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s: got no array", want.name);
        return fail(call);
    }
    PyArrayObject *array = (PyArrayObject *)object;
    int type = PyArray_TYPE(array), is_float = type == NPY_FLOAT || type == NPY_DOUBLE;
    if (kind == 'f' && is_float && !call->type)
        call->type = type;
    int fits = kind == 'f' ? is_float : PyArray_ISINTEGER(array);
    if (!fits || (kind == 'f' && want.use & WRITE && type != call->type)) {
        PyErr_Format(PyExc_TypeError, "%s: got an array of another dtype", want.name);
        return fail(call);
    }
    if (!has_shape(array, &want)) {
        PyErr_Format(PyExc_ValueError, "%s: got an array of another shape", want.name);
        return fail(call);
    }
    if (!(want.use & WRITE))
        return as_plain(call, array, kind == 'f' ? call->type : NPY_INT64);
    if (PyArray_ISCARRAY(array))
        return object;
    PyErr_Format(PyExc_ValueError, "%s: cannot be written in place", want.name);
    return fail(call);
}

static void *memory(arrays *call, PyObject *object, char kind, expected want)
{
    return data_of(checked(call, object, kind, want));
}

/* A new array of the call's type, borrowed; large ones are in recycled memory. */
static PyObject *new_array(arrays *call, int dims, const ptrdiff_t *shape)
{
    if (call->failed)
        return NULL;
    ptrdiff_t size = call->type == NPY_FLOAT ? sizeof(float) : sizeof(double);
    for (int i = 0; i < dims; i++)
        if (__builtin_mul_overflow(size, shape[i], &size))
            return PyErr_NoMemory(), fail(call);
    if (size < POOLED)
        return hold(call, PyArray_SimpleNew(dims, (npy_intp *)shape, call->type));
    PyObject *sizes = PyTuple_New(dims), *made = NULL;
    for (int i = 0; sizes && i < dims; i++)
        PyTuple_SetItem(sizes, i, PyLong_FromSsize_t(shape[i]));
    PyArray_Descr *dtype = PyArray_DescrFromType(call->type);
    if (sizes && !PyErr_Occurred())
        made = PyObject_CallFunctionObjArgs(pooled_empty, sizes, dtype, NULL);
    Py_XDECREF(sizes);
    Py_DECREF(dtype);
    PyArrayObject *array = (PyArrayObject *)hold(call, made);
    if (!array || !PyArray_Check(made) || PyArray_TYPE(array) != call->type ||
        !PyArray_ISCARRAY(array) || PyArray_SIZE(array) != PyArray_MultiplyList(shape, dims))
        return fail(call);
    return made;
}

/* A contiguous view of an array's elements from one on, in another shape. */
static PyObject *view_of(arrays *call, PyObject *array, ptrdiff_t first, int dims,
                         const ptrdiff_t *shape)
{
    if (call->failed)
        return NULL;
    PyArrayObject *of = (PyArrayObject *)array;
    char *data = (char *)PyArray_DATA(of) + first * PyArray_ITEMSIZE(of);
    PyObject *view = hold(
        call, PyArray_NewFromDescr(&PyArray_Type, PyArray_DescrFromType(PyArray_TYPE(of)),
                                   dims, (npy_intp *)shape, NULL, data,
                                   NPY_ARRAY_CARRAY, NULL));
    Py_INCREF(array);
    if (!view)
        Py_DECREF(array);
    else if (PyArray_SetBaseObject((PyArrayObject *)view, array) < 0)
        return fail(call);
    return view;
}

/* Memory for a kernel, `*room`, aligned for its vectors. Returns what is to be freed. */
static void *allocate(arrays *call, ptrdiff_t size, void **room)
{
    enum { ALIGNMENT = 64 };
    void *owner = size < 0 ? NULL : malloc((size_t)size + ALIGNMENT);
    if (!owner) {
        PyErr_NoMemory();
        return fail(call);
    }
    *room = (void *)(((uintptr_t)owner + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
    return owner;
}

static void release(arrays *call)
{
    while (call->count)
        Py_DECREF(call->held[--call->count]);
}

/* The result of a call, a new reference; the call's arrays are released. */
static PyObject *finish(arrays *call, PyObject *result)
{
    release(call);
    if (!call->failed)
        return result;
    Py_XDECREF(result);
    return NULL;
}
