/* Products of small matrices, tile by tile.

   The right operand is packed in panels of a few vectors of columns, row after row, so
   that the innermost loop reads it in order. A tile of the result, some rows by the
   columns of a panel, is summed up in registers and then given to a function, which
   finishes it while it is in the cache: adds the input, applies the gates, stores.

   That function is called by pointer on purpose. Inlined into the loop, it takes the
   registers that the sums need. */

typedef struct {
    const real *data;
    ptrdiff_t row_stride, column_stride;
} matrix;

typedef struct {
    int rows, vectors;
    ptrdiff_t row, column; /* where it begins */
    const vec *sums;       /* [rows][vectors] */
} tile;

typedef void (*use_tile)(const void *context, const tile *at);

/* Ask for what a tile reads and writes in a row, from a column on. */
typedef void (*ask_for_row)(const void *context, ptrdiff_t row, ptrdiff_t column);

#define MAX_TILE_ROWS 6
#define MAX_TILE_VECTORS 4
/* Columns of a tile where the caller does not want a number of its own. */
#define USUAL_VECTORS (VECTOR_REGISTERS == 32 ? 4 : 2)

static inline __attribute__((always_inline)) void
micro_kernel(const int rows, const int vectors, ptrdiff_t depth, const real *a,
             ptrdiff_t row_stride, ptrdiff_t depth_stride, const real *panel, int adds,
             vec *sums)
{
    /* With few sums, one chain of additions each would wait for itself; with more than
       eight or so chains, they no longer fit into the registers. */
    enum { MOST_CHAINS = 4 };
    const int chains = rows * vectors < 4 ? MOST_CHAINS : rows * vectors == 4 ? 2 : 1;
    vec acc[MOST_CHAINS][MAX_TILE_ROWS][MAX_TILE_VECTORS];
    UNROLL
    for (int c = 0; c < chains; c++)
        UNROLL
        for (int r = 0; r < rows; r++)
            UNROLL
            for (int v = 0; v < vectors; v++)
                acc[c][r][v] = !c && adds ? sums[r * vectors + v] : (vec){0};
    ptrdiff_t k = 0;
    for (; k + chains <= depth; k += chains)
        UNROLL
        for (int c = 0; c < chains; c++) {
            const vec *b = (const vec *)panel + (k + c) * vectors;
            UNROLL
            for (int r = 0; r < rows; r++) {
                real x = a[r * row_stride + (k + c) * depth_stride];
                UNROLL
                for (int v = 0; v < vectors; v++)
                    acc[c][r][v] += x * b[v];
            }
        }
    for (; k < depth; k++) {
        const vec *b = (const vec *)panel + k * vectors;
        UNROLL
        for (int r = 0; r < rows; r++) {
            real x = a[r * row_stride + k * depth_stride];
            UNROLL
            for (int v = 0; v < vectors; v++)
                acc[0][r][v] += x * b[v];
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec sum = acc[0][r][v];
            if (chains > 1)
                sum += acc[1][r][v];
            if (chains == MOST_CHAINS)
                sum += acc[2][r][v] + acc[3][r][v];
            sums[r * vectors + v] = sum;
        }
}

#define DEFINE_MICRO_KERNEL(rows, vectors)                                            \
    static __attribute__((noinline)) void VARIANT(micro_##rows##_##vectors)(          \
        ptrdiff_t depth, const real *a, ptrdiff_t row_stride, ptrdiff_t depth_stride, \
        const real *panel, int adds, vec *sums)                                       \
    {                                                                                 \
        if (depth_stride == 1)                                                        \
            micro_kernel(rows, vectors, depth, a, row_stride, 1, panel, adds, sums);  \
        else                                                                          \
            micro_kernel(rows, vectors, depth, a, row_stride, depth_stride, panel,    \
                         adds, sums);                                                 \
    }

/* Those whose sums fit into the registers, of which some hold the operands. */
#define DEFINE_MICRO_KERNELS(vectors) \
    DEFINE_MICRO_KERNEL(1, vectors)   \
    DEFINE_MICRO_KERNEL(2, vectors)   \
    DEFINE_MICRO_KERNEL(3, vectors)
DEFINE_MICRO_KERNELS(1)
DEFINE_MICRO_KERNELS(2)
DEFINE_MICRO_KERNELS(3)
DEFINE_MICRO_KERNELS(4)
DEFINE_MICRO_KERNEL(4, 1)
DEFINE_MICRO_KERNEL(4, 2)
DEFINE_MICRO_KERNEL(4, 3)
DEFINE_MICRO_KERNEL(6, 1)
DEFINE_MICRO_KERNEL(6, 2)
#if VECTOR_REGISTERS == 32
DEFINE_MICRO_KERNEL(6, 3)
DEFINE_MICRO_KERNEL(4, 4)
DEFINE_MICRO_KERNEL(6, 4)
#define IF_32_REGISTERS(kernel) kernel
#else
#define IF_32_REGISTERS(kernel) NULL
#endif

/* With `adds`, the products are added to what the sums are before. */
typedef void (*sum_tile)(ptrdiff_t depth, const real *a, ptrdiff_t row_stride,
                         ptrdiff_t depth_stride, const real *panel, int adds,
                         vec *sums);

#define MICRO(rows, vectors) VARIANT(micro_##rows##_##vectors)
static const sum_tile micro_kernels[MAX_TILE_VECTORS][MAX_TILE_ROWS] = {
    {MICRO(1, 1), MICRO(2, 1), MICRO(3, 1), MICRO(4, 1), NULL, MICRO(6, 1)},
    {MICRO(1, 2), MICRO(2, 2), MICRO(3, 2), MICRO(4, 2), NULL, MICRO(6, 2)},
    {MICRO(1, 3), MICRO(2, 3), MICRO(3, 3), MICRO(4, 3), NULL,
     IF_32_REGISTERS(MICRO(6, 3))},
    {MICRO(1, 4), MICRO(2, 4), MICRO(3, 4), IF_32_REGISTERS(MICRO(4, 4)), NULL,
     IF_32_REGISTERS(MICRO(6, 4))},
};
#undef MICRO
#undef IF_32_REGISTERS

/* Vectors in the next panel, if the columns from there on take `left` of them. */
static inline int panel_vectors(ptrdiff_t left)
{
    return left >= USUAL_VECTORS ? USUAL_VECTORS : (int)left;
}

static inline ptrdiff_t vectors_for(ptrdiff_t columns)
{
    return (columns + LANES - 1) / LANES;
}

/* So many numbers, rounded up to keep what follows them aligned. */
static inline ptrdiff_t padded(ptrdiff_t count)
{
    return vectors_for(count) * LANES;
}

/* Pack B, (depth, columns), in the usual panels; returns the end. */
static real *pack_columns(matrix b, ptrdiff_t depth, ptrdiff_t columns, real *panels)
{
    for (ptrdiff_t first = 0; first < columns;) {
        ptrdiff_t width = panel_vectors(vectors_for(columns - first)) * LANES;
        ptrdiff_t used = columns - first < width ? columns - first : width;
        if (b.row_stride == 1) { /* transposed: in blocks, for the cache */
            for (ptrdiff_t start = 0; start < depth; start += 16) {
                ptrdiff_t stop = start + 16 < depth ? start + 16 : depth;
                for (ptrdiff_t j = 0; j < used; j++) {
                    const real *column = b.data + (first + j) * b.column_stride;
                    for (ptrdiff_t k = start; k < stop; k++)
                        panels[k * width + j] = column[k];
                }
                for (ptrdiff_t j = used; j < width; j++)
                    for (ptrdiff_t k = start; k < stop; k++)
                        panels[k * width + j] = 0;
            }
        } else
            for (ptrdiff_t k = 0; k < depth; k++) {
                const real *row = b.data + k * b.row_stride + first * b.column_stride;
                real *to = panels + k * width;
                if (b.column_stride == 1 && used == width) {
                    for (ptrdiff_t j = 0; j < width; j += LANES)
                        store(to + j, load(row + j, LANES), LANES);
                    continue;
                }
                if (b.column_stride == 1)
                    memcpy(to, row, (size_t)used * sizeof(real));
                else
                    for (ptrdiff_t j = 0; j < used; j++)
                        to[j] = row[j * b.column_stride];
                memset(to + used, 0, (size_t)(width - used) * sizeof(real));
            }
        panels += depth * width;
        first += width;
    }
    return panels;
}

/* Pack W^T of W, (gates * hidden, depth), so that a panel has the same hidden units of
   each gate, a vector of them, side by side; returns the end. */
static real *pack_gates(const real *w, int gates, ptrdiff_t hidden, ptrdiff_t depth,
                        real *panels)
{
    for (ptrdiff_t first = 0; first < hidden; first += LANES) {
        ptrdiff_t used = hidden - first < LANES ? hidden - first : LANES;
        for (int gate = 0; gate < gates; gate++)
            for (ptrdiff_t j = 0; j < LANES; j++) {
                const real *row = w + (gate * hidden + first + j) * depth;
                real *to = panels + gate * LANES + j;
                for (ptrdiff_t k = 0; k < depth; k++)
                    to[k * gates * LANES] = j < used ? row[k] : 0;
            }
        panels += depth * gates * LANES;
    }
    return panels;
}

/* The right operand of a product, (depth, columns): packed, or for few rows, which are
   not worth that, the rows of its transpose. With `gates`, columns are those of one. */
typedef struct {
    ptrdiff_t depth, columns;
    int gates;          /* 0 for the usual panels */
    const real *panels; /* or NULL */
    const real *rows;   /* W, (gates * columns, depth), if it is not packed */
} operand;

/* Rows of a left operand from which the right one is packed. */
#define WORTH_PACKING 8

static operand pack(matrix b, ptrdiff_t depth, ptrdiff_t columns, real **room)
{
    operand packed = {depth, columns, 0, *room, NULL};
    *room = pack_columns(b, depth, columns, *room);
    return packed;
}

/* W^T of W, (columns, depth), or of gates one after the other, for so many rows. */
static operand pack_transposed(const real *w, int gates, ptrdiff_t depth,
                               ptrdiff_t columns, ptrdiff_t rows, real **room)
{
    if (rows < WORTH_PACKING)
        return (operand){depth, columns, gates, NULL, w};
    if (!gates)
        return pack((matrix){w, 1, depth}, depth, columns, room);
    operand packed = {depth, columns, gates, *room, NULL};
    *room = pack_gates(w, gates, columns, depth, *room);
    return packed;
}

/* The products of x, (depth,), with so many rows of w. */
static vec dot_rows(const real *x, const real *w, ptrdiff_t depth, ptrdiff_t count)
{
    vec sums[LANES], result = {0};
    const real *last = w + (count - 1) * depth;
    UNROLL
    for (ptrdiff_t i = 0; i < LANES; i++)
        sums[i] = (vec){0};
    ptrdiff_t k = 0;
    for (; k + LANES <= depth; k += LANES) {
        vec factor = load(x + k, LANES);
        UNROLL
        for (ptrdiff_t i = 0; i < LANES; i++)
            sums[i] += factor * load((i < count ? w + i * depth : last) + k, LANES);
    }
    if (k < depth)
        for (ptrdiff_t i = 0; i < count; i++)
            sums[i] += load(x + k, depth - k) * load(w + i * depth + k, depth - k);
    UNROLL
    for (ptrdiff_t i = 0; i < LANES; i++)
        result[i] = add_lanes(sums[i]);
    return result;
}

static void for_each_unpacked_tile(matrix a, range rows, const operand *b, use_tile use,
                                   const void *context)
{
    vec sums[MAX_TILE_VECTORS];
    int vectors = b->gates ? b->gates : 1;
    for (ptrdiff_t r = rows.begin; r < rows.end; r++)
        for (ptrdiff_t column = 0; column < b->columns; column += LANES) {
            ptrdiff_t left = b->columns - column, count = left < LANES ? left : LANES;
            for (int v = 0; v < vectors; v++)
                sums[v] = dot_rows(a.data + r * a.row_stride,
                                   b->rows + (v * b->columns + column) * b->depth,
                                   b->depth, count);
            tile at = {1, vectors, r, column, sums};
            use(context, &at);
        }
}

/* The tile after this one, below it or at the top of the next columns. It has no rows
   if there is none. */
static tile next_tile(tile at, range rows, ptrdiff_t columns)
{
    at.row += at.rows;
    if (at.row == rows.end) {
        at.row = rows.begin;
        at.column += at.vectors * LANES;
    }
    ptrdiff_t left = at.column < columns ? rows.end - at.row : 0;
    at.rows = left < MAX_TILE_ROWS ? (int)left : MAX_TILE_ROWS;
    return at;
}

/* Sum up a tile in parts of its depth, and between them ask for the rows of the next
   one. Its lines are far apart, so that the processor does not foresee them, and all at
   once they are more than it fetches at a time. */
static void sum_and_ask(sum_tile kernel, matrix a, ptrdiff_t depth, const real *panel,
                        vec *sums, const tile *next, ask_for_row ask,
                        const void *context)
{
    enum { PART = 128 };
    ptrdiff_t k = 0, row = 0;
    do {
        ptrdiff_t part = depth - k < PART ? depth - k : PART;
        kernel(part, a.data + k * a.column_stride, a.row_stride, a.column_stride,
               panel + k * next->vectors * LANES, k > 0, sums);
        k += part;
        ptrdiff_t end = k < depth ? next->rows * k / depth : next->rows;
        for (; row < end; row++)
            ask(context, next->row + row, next->column);
    } while (k < depth);
}

/* Give `use` all tiles of these rows of A B, where A is (rows, depth) and may have a
   depth of 0. `ask`, or NULL, is for where few multiplications meet many numbers that
   are not in the cache; a tile then has the columns of a usual panel. */
static void for_each_tile(matrix a, range rows, const operand *b, ptrdiff_t depth,
                          use_tile use, ask_for_row ask, const void *context)
{
    if (!b->panels) {
        for_each_unpacked_tile(a, rows, b, use, context);
        return;
    }
    vec sums[MAX_TILE_ROWS * MAX_TILE_VECTORS];
    const real *panels = b->panels;
    for (ptrdiff_t column = 0; column < b->columns;) {
        ptrdiff_t left = vectors_for(b->columns - column);
        int vectors = b->gates ? b->gates : panel_vectors(left);
        const sum_tile *kernels = micro_kernels[vectors - 1];
        tile at = {0, vectors, rows.begin, column, sums};
        for (; at.row < rows.end; at.row += at.rows) {
            ptrdiff_t left_rows = rows.end - at.row;
            at.rows = left_rows < MAX_TILE_ROWS ? (int)left_rows : MAX_TILE_ROWS;
            while (!kernels[at.rows - 1])
                at.rows--;
            matrix from = {a.data + at.row * a.row_stride, a.row_stride, a.column_stride};
            sum_tile kernel = kernels[at.rows - 1];
            if (ask) {
                tile next = next_tile(at, rows, b->columns);
                sum_and_ask(kernel, from, depth, panels, sums, &next, ask, context);
            } else
                kernel(depth, from.data, from.row_stride, from.column_stride, panels, 0,
                       sums);
            use(context, &at);
        }
        panels += b->depth * vectors * LANES;
        column += b->gates ? LANES : vectors * LANES;
    }
}

/* C = A B + bias for small matrices. */
typedef struct {
    real *data;
    ptrdiff_t row_stride, columns;
    const real *bias; /* or NULL */
} product_result;

static void store_product(const void *context, const tile *at)
{
    const product_result *c = context;
    for (int r = 0; r < at->rows; r++)
        for (int v = 0; v < at->vectors; v++) {
            ptrdiff_t column = at->column + v * LANES, count = c->columns - column;
            vec sum = at->sums[r * at->vectors + v];
            if (c->bias)
                sum += load(c->bias + column, count);
            store(c->data + (at->row + r) * c->row_stride + column, sum, count);
        }
}

static void multiply_packed(matrix a, range rows, const operand *b, const real *bias,
                            real *out)
{
    product_result result = {out, b->columns, b->columns, bias};
    for_each_tile(a, rows, b, b->depth, store_product, NULL, &result);
}

static void multiply(matrix a, matrix b, ptrdiff_t rows, ptrdiff_t depth,
                     ptrdiff_t columns, real *out, real *room)
{
    operand packed = pack(b, depth, columns, &room);
    multiply_packed(a, (range){0, rows}, &packed, NULL, out);
}

/* The sum of rows, (rows, width). Partial sums of a few rows keep rounding small. */
static void sum_rows(const real *x, ptrdiff_t rows, ptrdiff_t width, real *out)
{
    enum { BLOCK = 128, AT_ONCE = 4 }; /* vectors, so that whole lines are read */
    for (ptrdiff_t first = 0; first < width; first += AT_ONCE * LANES) {
        ptrdiff_t left = vectors_for(width - first);
        int vectors = left < AT_ONCE ? (int)left : AT_ONCE;
        vec total[AT_ONCE] = {{0}};
        for (ptrdiff_t start = 0; start < rows; start += BLOCK) {
            ptrdiff_t stop = start + BLOCK < rows ? start + BLOCK : rows;
            vec sum[AT_ONCE] = {{0}};
            for (ptrdiff_t r = start; r < stop; r++)
                for (int v = 0; v < vectors; v++) {
                    ptrdiff_t j = first + v * LANES;
                    sum[v] += load(x + r * width + j, width - j);
                }
            for (int v = 0; v < vectors; v++)
                total[v] += sum[v];
        }
        for (int v = 0; v < vectors; v++) {
            ptrdiff_t j = first + v * LANES;
            store(out + j, total[v], width - j);
        }
    }
}
