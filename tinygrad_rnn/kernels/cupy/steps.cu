// One step of a recurrent layer that is too large for scan.cu: the product with W_hh is
// cuBLAS's, and the rest of the step is one launch with a thread for each hidden unit
// of each sequence. Compiled with -DREAL=float|double -DGATES=1|4|3 -DMODE=0.

extern "C" __global__ void one_step_forward(
    In<REAL> products,  // (B, G, H): W_hh h
    In<REAL> inputs,    // (B, G, H): W_ih x and all biases but b_n
    In<REAL> b_n,       // (H,) of a GRU, or null
    In<REAL> h, In<REAL> c,          // (B, H); c of an LSTM
    Out<REAL> new_h, Out<REAL> new_c,
    Out<REAL> kept,     // (B, 4, H); null of an RNN
    Out<REAL> output,   // (B, H) or null: h, and zeros in the padding
    In<int> lengths,    // (B,) or null
    int t, int batch, int hidden, int relu) {
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (long long)batch * hidden) return;
    const long long b = at / hidden, u = at % hidden;
    REAL recurrent[G], input[G], values[KEPT];
#pragma unroll
    for (int g = 0; g < G; g++) {
        recurrent[g] = products[(b * G + g) * hidden + u];
        input[g] = inputs[(b * G + g) * hidden + u];
    }
    const REAL old_h = h[at], old_c = G == LSTM ? REAL(c[at]) : REAL(0);
    REAL h_next = old_h, c_next = old_c;
    step(recurrent, input, b_n ? REAL(b_n[u]) : REAL(0), relu, h_next, c_next, values);
    const bool goes_on = !lengths || t < lengths[b];
    if (!goes_on) h_next = old_h, c_next = old_c;
    new_h[at] = h_next;
    if (output) output[at] = goes_on ? h_next : REAL(0);
    if (G == LSTM) new_c[at] = c_next;
    if (G != RNN)
#pragma unroll
        for (int k = 0; k < KEPT; k++) kept[(b * KEPT + k) * hidden + u] = values[k];
}

extern "C" __global__ void one_step_backward(
    In<REAL> g_output,  // (B, H) or null
    In<REAL> products,  // (B, H) or null: W_hh^T times the sums' gradients of the later step
    InOut<REAL> direct, // (B, H): the gradient of h' besides, then that of h
    InOut<REAL> g_c,    // (B, H) of an LSTM
    In<REAL> h, In<REAL> new_h, In<REAL> c, In<REAL> new_c,  // (B, H)
    In<REAL> kept,      // (B, 4, H)
    Out<REAL> g_sums,   // (B, G, H)
    Out<REAL> g_n,      // (B, H) of a GRU
    In<int> lengths, int t, int batch, int hidden, int relu) {
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (long long)batch * hidden) return;
    const long long b = at / hidden, u = at % hidden;
    REAL g_h = direct[at], g_cell = G == LSTM ? REAL(g_c[at]) : REAL(0);
    if (products) g_h += products[at];
    Gradient back = {};
    if (!lengths || t < lengths[b]) {
        Step was = {};
        if (G == RNN) was.after = new_h[at];
        if (G == LSTM) was.before = c[at], was.after = new_c[at];
        if (G == GRU) was.before = h[at];
        if (G != RNN)
#pragma unroll
            for (int k = 0; k < KEPT; k++) was.kept[k] = kept[(b * KEPT + k) * hidden + u];
        if (g_output) g_h += g_output[at];
        back = step_back(g_h, g_cell, was, relu);
    } else {
        back.direct = g_h;
    }
    direct[at] = back.direct;
    if (G == LSTM) g_c[at] = g_cell;
    if (G == GRU) g_n[at] = back.n;
#pragma unroll
    for (int k = 0; k < G; k++) g_sums[(b * G + k) * hidden + u] = back.sums[k];
}
