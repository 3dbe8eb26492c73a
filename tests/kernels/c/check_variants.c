/* Check RNN, LSTM and GRU of every instruction set against their equations, without
   Python, so that a processor that is only emulated can run it:

     aarch64-linux-gnu-gcc -std=gnu11 -O2 -fno-math-errno -ffp-contract=fast -static \
       -o check tests/kernels/c/check_variants.c tinygrad_rnn/kernels/c/source/variants.c \
       -lm && qemu-aarch64 ./check

   Outputs are compared with a loop over the equations in double, and gradients with
   differences of it. */

#include "../../../tinygrad_rnn/kernels/c/source/variants.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 3, BATCH = 7, INPUT = 5, HIDDEN = 37, GATES = 4 };
enum { STATE = BATCH * HIDDEN, WIDTH = GATES * HIDDEN, ROWS = STEPS * BATCH };
enum { RNN = 1, GRU = 3, LSTM = 4 };

typedef struct {
    double x[ROWS * INPUT], w_ih[WIDTH * INPUT], w_hh[WIDTH * HIDDEN];
    double b_ih[WIDTH], b_hh[WIDTH], h_0[STATE], c_0[STATE];
} inputs;

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double dot_of(const double *a, const double *b, int count)
{
    double sum = 0;
    for (int k = 0; k < count; k++)
        sum += a[k] * b[k];
    return sum;
}

/* One state after the other; returns the sum of all of them. */
static double run_equations(int gates, const inputs *in, double *output)
{
    double h[STATE], c[STATE], next[STATE], total = 0;
    memcpy(h, in->h_0, sizeof h);
    memcpy(c, in->c_0, sizeof c);
    for (int t = 0; t < STEPS; t++) {
        for (int b = 0; b < BATCH; b++)
            for (int j = 0; j < HIDDEN; j++) {
                double from_x[GATES], from_h[GATES];
                for (int g = 0; g < gates; g++) {
                    int row = g * HIDDEN + j;
                    const double *x = in->x + (t * BATCH + b) * INPUT;
                    from_x[g] = dot_of(in->w_ih + row * INPUT, x, INPUT) + in->b_ih[row];
                    from_h[g] = dot_of(in->w_hh + row * HIDDEN, h + b * HIDDEN, HIDDEN) +
                                in->b_hh[row];
                }
                int at = b * HIDDEN + j;
                if (gates == RNN)
                    next[at] = tanh(from_x[0] + from_h[0]);
                else if (gates == GRU) {
                    double r = sigmoid(from_x[0] + from_h[0]);
                    double z = sigmoid(from_x[1] + from_h[1]);
                    next[at] = (1 - z) * tanh(from_x[2] + r * from_h[2]) + z * h[at];
                } else {
                    double i = sigmoid(from_x[0] + from_h[0]);
                    double f = sigmoid(from_x[1] + from_h[1]);
                    c[at] = f * c[at] + i * tanh(from_x[2] + from_h[2]);
                    next[at] = sigmoid(from_x[3] + from_h[3]) * tanh(c[at]);
                }
                output[t * STATE + at] = next[at];
                total += next[at];
            }
        memcpy(h, next, sizeof h);
    }
    return total;
}

/* So many numbers as floats of a size, aligned for vectors. */
static void *convert(const double *from, ptrdiff_t count, size_t size)
{
    size_t bytes = ((size_t)count * size + 127) / 64 * 64;
    void *to = aligned_alloc(64, bytes);
    memset(to, 0, bytes);
    for (ptrdiff_t i = 0; from && i < count; i++)
        if (size == sizeof(float))
            ((float *)to)[i] = (float)from[i];
        else
            ((double *)to)[i] = from[i];
    return to;
}

static double at(const void *x, ptrdiff_t i, size_t size)
{
    return size == sizeof(float) ? ((const float *)x)[i] : ((const double *)x)[i];
}

static int failures;

static void compare(const char *isa, const char *what, int gates, size_t size,
                    double found, double wanted, double tolerance)
{
    if (fabs(found - wanted) <= tolerance)
        return;
    if (failures++ < 20)
        printf("%s, %d gates, %d bytes: %s is %.9g, expected %.9g\n", isa, gates,
               (int)size, what, found, wanted);
}

/* The slope of the sum of the outputs along one number. */
static double slope(int gates, inputs *in, double *number)
{
    static double output[STEPS * STATE];
    double before = *number, step = 1e-5, above, below;
    *number = before + step;
    above = run_equations(gates, in, output);
    *number = before - step;
    below = run_equations(gates, in, output);
    *number = before;
    return (above - below) / (2 * step);
}

static void check(const instruction_set *set, int gates, size_t size, inputs *in)
{
    const kernel_table *table = set->tables[size == sizeof(double)];
    static double wanted[STEPS * STATE];
    run_equations(gates, in, wanted);
    scan_shape shape = {STEPS, BATCH, INPUT, HIDDEN, {0, BATCH}, 0, 0, NULL};
    ptrdiff_t width = gates * HIDDEN;
    void *room = convert(NULL, room_for(&shape, gates, size), 1);
    layer_call f = {.shape = shape, .room = room};
    f.x = convert(in->x, ROWS * INPUT, size);
    f.w_ih = convert(in->w_ih, width * INPUT, size);
    f.w_hh = convert(in->w_hh, width * HIDDEN, size);
    f.b_ih = convert(in->b_ih, width, size);
    f.b_hh = convert(in->b_hh, width, size);
    f.h_0 = convert(in->h_0, STATE, size);
    f.c_0 = convert(in->c_0, STATE, size);
    f.states = convert(NULL, (STEPS + 1) * STATE, size);
    f.c_states = convert(NULL, (STEPS + 1) * STATE, size);
    f.gates = convert(NULL, ROWS * width, size);
    f.m = convert(NULL, STEPS * STATE, size);
    f.h_n = convert(NULL, STATE, size);
    f.c_n = convert(NULL, STATE, size);
    (gates == LSTM  ? table->lstm_forward
     : gates == GRU ? table->gru_forward
                    : table->rnn_forward)(&f);
    double tolerance = size == sizeof(float) ? 5e-6 : 1e-13;
    for (int i = 0; i < STEPS * STATE; i++)
        compare(set->name, "an output", gates, size, at(f.states, STATE + i, size),
                wanted[i], tolerance);

    static double ones[STEPS * STATE];
    for (int i = 0; i < STEPS * STATE; i++)
        ones[i] = 1;
    layer_back_call g = {.shape = shape, .room = room, .wants_g_h = 1, .finishes = 1};
    g.x = f.x, g.w_ih = f.w_ih, g.w_hh = f.w_hh;
    g.states = f.states, g.c_states = f.c_states, g.gates = f.gates, g.m = f.m;
    g.g_output = convert(ones, STEPS * STATE, size);
    g.g_h = convert(NULL, STATE, size);
    g.g_c = convert(NULL, STATE, size);
    g.g_sums = convert(NULL, ROWS * width, size);
    g.g_recurrent = gates == GRU ? convert(NULL, ROWS * width, size) : NULL;
    g.g_x = convert(NULL, ROWS * INPUT, size);
    g.g_w_ih = convert(NULL, width * INPUT, size);
    g.g_w_hh = convert(NULL, width * HIDDEN, size);
    g.g_b_ih = convert(NULL, width, size);
    g.g_b_hh = convert(NULL, width, size);
    (gates == LSTM  ? table->lstm_backward
     : gates == GRU ? table->gru_backward
                    : table->rnn_backward)(&g);
    struct {
        const char *name;
        const void *gradient;
        double *number;
        ptrdiff_t count;
    } all[] = {
        {"a gradient of x", g.g_x, in->x, ROWS * INPUT},
        {"a gradient of w_ih", g.g_w_ih, in->w_ih, width * INPUT},
        {"a gradient of w_hh", g.g_w_hh, in->w_hh, width * HIDDEN},
        {"a gradient of b_ih", g.g_b_ih, in->b_ih, width},
        {"a gradient of b_hh", g.g_b_hh, in->b_hh, width},
        {"a gradient of h_0", g.g_h, in->h_0, STATE},
    };
    tolerance = size == sizeof(float) ? 2e-4 : 1e-7;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (ptrdiff_t i = 0; i < all[k].count; i += 1 + all[k].count / 12) {
            double exact = slope(gates, in, all[k].number + i);
            compare(set->name, all[k].name, gates, size, at(all[k].gradient, i, size),
                    exact, tolerance * (1 + fabs(exact)));
        }
}

int main(void)
{
    static inputs in;
    double *numbers = (double *)&in;
    for (size_t i = 0; i < sizeof in / sizeof(double); i++)
        numbers[i] = (rand() % 2001 - 1000) / 4000.0;
    for (const instruction_set *set = instruction_sets; set->name; set++) {
        if (!is_supported(set->name)) {
            printf("%s: left out, this processor does not have it\n", set->name);
            continue;
        }
        int before = failures;
        for (int gates = RNN; gates <= LSTM; gates += gates == RNN ? 2 : 1)
            for (size_t size = 4; size <= 8; size += 4)
                check(set, gates, size, &in);
        printf("%s: %s\n", set->name, failures == before ? "as the equations" : "WRONG");
    }
    return failures != 0;
}
