/* The gradient of a table, (N, D), of which ids took rows; `table` begins as zeros. */
static void embedding_backward(const int64_t *ids, const void *g, ptrdiff_t rows,
                               ptrdiff_t size, void *table)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *from = (const real *)g + r * size;
        real *to = (real *)table + ids[r] * size;
        for (ptrdiff_t j = 0; j < size; j += LANES)
            store(to + j, load(to + j, size - j) + load(from + j, size - j), size - j);
    }
}
