/* A linear layer of few numbers: its products, and those of its gradients. */

static void linear_forward(const linear_call *c)
{
    real *room = c->room;
    matrix x = {c->x, c->input, 1};
    operand weight =
        pack_transposed(c->weight, 0, c->input, c->output, c->rows, &room);
    multiply_packed(x, (range){0, c->rows}, &weight, c->bias, c->y);
}

static void linear_backward(const linear_call *c)
{
    matrix g = {c->g, c->output, 1}, g_columns = {c->g, 1, c->output};
    matrix x = {c->x, c->input, 1}, weight = {c->weight, c->input, 1};
    if (c->g_x)
        multiply(g, weight, c->rows, c->output, c->input, c->g_x, c->room);
    if (c->g_weight)
        multiply(g_columns, x, c->output, c->rows, c->input, c->g_weight, c->room);
    if (c->g_bias)
        sum_rows(c->g, c->rows, c->output, c->g_bias);
}
