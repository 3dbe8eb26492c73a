/* The extension module: its functions check what Python passes, choose the kernels, and
   let other Python threads run while a kernel has much to do. */

/* clang-format off: Python.h comes first */
#include "arrays.h"
#include "layers.h"
#include "losses.h"
#include "lists.h"
/* clang-format on */

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

/* A dict of the instruction sets that kernels were compiled for, best first, and
   whether this processor has them. */
static PyObject *find_instruction_sets(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    PyObject *found = PyDict_New();
    for (const instruction_set *set = instruction_sets; found && set->name; set++) {
        PyObject *value = is_supported(set->name) ? Py_True : Py_False;
        if (PyDict_SetItemString(found, set->name, value) < 0)
            Py_CLEAR(found);
    }
    return found;
}

/* Of the sources, by setup.py; 0 where something else builds them. */
#ifndef CHECKSUM
#define CHECKSUM 0
#endif

static PyObject *checksum(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    return PyLong_FromUnsignedLong(CHECKSUM);
}

#define METHOD(name, flags, doc) {#name, (PyCFunction)(void (*)(void))name, flags, doc}
static PyMethodDef methods[] = {
    METHOD(layer_forward, METH_FASTCALL, "Run the forward of RNN, LSTM or GRU."),
    METHOD(layer_backward, METH_FASTCALL, "Run the backward of RNN, LSTM or GRU."),
    METHOD(linear_forward, METH_FASTCALL, "Multiply rows by a weight and add a bias."),
    METHOD(linear_backward, METH_FASTCALL, "Gradients of linear_forward."),
    METHOD(cross_entropy_forward, METH_FASTCALL, "Losses of rows, exps and their sums."),
    METHOD(cross_entropy_backward, METH_FASTCALL, "The gradient of the logits."),
    METHOD(layer_norm_forward, METH_FASTCALL, "Normalize rows."),
    METHOD(layer_norm_backward, METH_FASTCALL, "Gradients of layer_norm_forward."),
    METHOD(embedding_backward, METH_FASTCALL, "Add rows to those of a table."),
    METHOD(squares, METH_O, "The sum of the squares of all elements of a list."),
    METHOD(scale, METH_FASTCALL, "Multiply the arrays of a list by a number."),
    METHOD(all_contiguous, METH_O, "Whether C can read all arrays of a list as they are."),
    METHOD(clip, METH_FASTCALL, "Scale the arrays of a list to a common norm."),
    METHOD(all_below, METH_FASTCALL, "Whether all ids are in [0, count)."),
    METHOD(adam_step, METH_FASTCALL, "Take a step of Adam for lists of arrays."),
    {"instruction_sets", find_instruction_sets, METH_NOARGS,
     "Instruction sets, best first, and whether this processor has them."},
    {"checksum", checksum, METH_NOARGS, "That of the sources that it was built from."},
    METHOD(use, METH_O, "Use an instruction set, '' for the best; returns its name."),
    {NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
    (void)module;
    if (PyArray_ImportNumPyAPI() < 0)
        return -1;
    PyObject *pool = PyImport_ImportModule("tinygrad_rnn.backend.pool");
    pooled_empty = pool ? PyObject_GetAttrString(pool, "empty") : NULL;
    Py_XDECREF(pool);
    for (in_use = instruction_sets; !is_supported(in_use->name);)
        in_use++;
    return pooled_empty ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, start},
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
