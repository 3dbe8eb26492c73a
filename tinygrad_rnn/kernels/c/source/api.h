/* What the module hands to the kernels, the same for each float type and instruction
   set. Legend: T steps, B batch, I input, H hidden, G gates. Arrays are C-contiguous;
   those that may be NULL say so. */

#ifndef TINYGRAD_RNN_API
#define TINYGRAD_RNN_API

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    ptrdiff_t begin, end;
} range;

typedef struct {
    ptrdiff_t steps, batch, input, hidden;
    range rows; /* of the batch: what the call works on */
    int reverse;
    int relu;               /* the RNN's nonlinearity; else tanh */
    const int64_t *lengths; /* (B,) or NULL */
} scan_shape;

/* A layer's forward. c_*, gates and m are NULL for layers that have none. */
typedef struct {
    scan_shape shape;
    const void *x;       /* features (T*B, I); NULL with ids, or if sums are given */
    const int64_t *ids;  /* (T*B,) of one-hot rows, or NULL */
    int has_sums;        /* W_ih x + biases are where project() would put them */
    const void *w_ih;    /* (G*H, I) */
    const void *w_hh;    /* (G*H, H) */
    const void *b_ih;    /* (G*H,) or NULL */
    const void *b_hh;    /* (G*H,) or NULL */
    const void *h_0;     /* (B, H) or NULL */
    const void *c_0;     /* (B, H) or NULL */
    void *states;        /* (T+1, B, H) */
    void *c_states;      /* (T+1, B, H) */
    void *gates;         /* (T, B, G*H) */
    void *m;             /* GRU: W_hn h + b_hn, LSTM: tanh(c'), (T, B, H) */
    void *output;        /* states with 0 in the padding, (T, B, H); NULL without */
    void *h_n, *c_n;     /* (B, H) */
    void *room;          /* see room_for() */
} layer_call;

/* A layer's backward. The gradients from w_ih on are NULL if nobody asks for them. */
typedef struct {
    scan_shape shape;
    const void *x;
    const int64_t *ids;
    const void *w_ih, *w_hh;
    const void *states, *c_states, *gates, *m;
    const void *g_output; /* (T, B, H) or NULL */
    void *g_h;            /* (B, H): of h_n on the way in, of h_0 on the way out */
    void *g_c;            /* (B, H): the same of c */
    int wants_g_h;
    int finishes; /* whether to compute what follows, from the g_sums of all rows */
    void *g_sums;      /* of W_ih x + b_ih, (T, B, G*H) */
    void *g_recurrent; /* of W_hh h + b_hh where that is another (GRU), or NULL */
    void *g_x;         /* (T*B, I) */
    void *g_w_ih, *g_w_hh, *g_b_ih, *g_b_hh;
    void *room;
} layer_back_call;

/* Softmax cross entropy of logits (N, V), and its gradient
   exps * factor / sum - at_target onehot(target) - at_all weight. */
typedef struct {
    ptrdiff_t rows, classes;
    const void *logits;    /* (N, V) */
    const int64_t *target; /* (N,) */
    const void *weight;    /* (V,) or NULL */
    int64_t ignore_index;
    double label_smoothing;
    void *exps;         /* exp(x - max(x)), (N, V) */
    void *sums;         /* their sums, (N,) */
    void *losses;       /* (N,) */
    double loss, total; /* the sums of the losses and of the rows' weights */
    const void *scale;  /* the gradient of each row's loss: (N,), or (1,) for all */
    int scale_is_shared;
    void *g; /* (N, V), with the total as the divisor */
} loss_call;

/* y = x W^T + b of rows (N, I), and the gradients, NULL if nobody asks for them. */
typedef struct {
    ptrdiff_t rows, input, output;
    const void *x;      /* (N, I) */
    const void *weight; /* (O, I) */
    const void *bias;   /* (O,) or NULL */
    void *y;            /* (N, O) */
    const void *g;      /* of y */
    void *g_x, *g_weight, *g_bias;
    void *room; /* see linear_room() */
} linear_call;

/* Layer normalization of rows (N, D). */
typedef struct {
    ptrdiff_t rows, size;
    double eps;
    const void *x;
    const void *weight, *bias; /* (D,) or NULL */
    void *mean;                /* (N,) */
    void *scale;               /* 1 / sqrt(var + eps), (N,) */
    void *out;                 /* (N, D) */
} norm_call;

/* Its backward; the gradients are NULL if nobody asks for them. */
typedef struct {
    ptrdiff_t rows, size;
    const void *x, *mean, *scale, *weight, *g;
    void *g_x, *g_weight, *g_bias;
} norm_back_call;

typedef struct {
    ptrdiff_t size;
    void *param;
    const void *grad;
    void *exp_avg, *exp_avg_sq, *max_exp_avg_sq; /* the last may be NULL */
} adam_arrays;

typedef struct {
    double new_avg, keep_sq, new_sq; /* 1 - beta1, beta2, 1 - beta2 */
    double floor, rate;              /* eps and lr with the bias corrections */
    double decay; /* weight decay: of the gradient, or what the parameter is scaled by */
    int decoupled;
} adam_settings;

typedef struct {
    void (*rnn_forward)(const layer_call *);
    void (*rnn_backward)(const layer_back_call *);
    void (*lstm_forward)(const layer_call *);
    void (*lstm_backward)(const layer_back_call *);
    void (*gru_forward)(const layer_call *);
    void (*gru_backward)(const layer_back_call *);
    void (*linear_forward)(const linear_call *);
    void (*linear_backward)(const linear_call *);
    void (*cross_entropy_forward)(loss_call *);
    void (*cross_entropy_backward)(const loss_call *);
    void (*layer_norm_forward)(const norm_call *);
    void (*layer_norm_backward)(const norm_back_call *);
    void (*embedding_backward)(const int64_t *ids, const void *g, ptrdiff_t rows,
                               ptrdiff_t size, void *table);
    double (*squares)(const void *x, ptrdiff_t count);
    void (*scale)(void *x, ptrdiff_t count, double factor);
    void (*adam_step)(const adam_arrays *, const adam_settings *);
} kernel_table;

/* Bytes of `room` that any kernel of a layer of this shape needs, or -1 if the number
   is too large. */
ptrdiff_t room_for(const scan_shape *s, int gates, size_t item_size);

/* The same for a linear layer. */
ptrdiff_t linear_room(const linear_call *c, size_t item_size);

/* Whether sequence b has ended before step t. */
static inline int is_over(const scan_shape *s, ptrdiff_t t, ptrdiff_t b)
{
    return s->lengths && t >= s->lengths[b];
}

/* The i-th step of the scan. */
static inline ptrdiff_t step_at(const scan_shape *s, ptrdiff_t i)
{
    return s->reverse ? s->steps - 1 - i : i;
}

/* The rows of all steps that a call works on. */
static inline ptrdiff_t count_rows(const scan_shape *s)
{
    return s->steps * (s->rows.end - s->rows.begin);
}

static inline ptrdiff_t state_size(const scan_shape *s)
{
    return s->batch * s->hidden;
}

#endif
