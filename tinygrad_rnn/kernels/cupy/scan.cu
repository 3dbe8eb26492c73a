// A recurrent layer in one direction as one launch, forward or backward.
//
// Blocks work in groups of `ranks`. A group owns `slice` sequences of the batch. Within
// it each block owns `units` hidden units, whose weights stay in its shared memory
// through all steps. The MODE says how a group exchanges what each step makes:
//
//   0  block: one rank; the state stays in shared memory, and blocks never meet;
//   1  cluster (sm_90): each block writes its part into the shared memory of all of
//      them; one barrier of the cluster a step, so there are two buffers: while one is
//      read, the next one is filled;
//   2  grid: through global memory, which in fact is the L2 cache. The states have to
//      be written there anyway. A counter is the barrier, so all blocks of a group
//      must run at the same time: the launch is cooperative.
//
// Both directions are the same loop: products of the weights with what the step before
// left (the state; back, the gradients of the gates' sums), then the equations of the
// block's own units. No sum depends on the order of threads: equal calls give equal bits.
//
// Compiled with -DREAL=float|double -DGATES=1|4|3 -DMODE=0|1|2 [-DRANKS of a cluster]
// -DTILE: how many sequences a thread multiplies at once. T is time, B batch, H hidden.

constexpr int THREADS = sizeof(REAL) == 4 ? 512 : 384;  // at most; a thread has 128 or 168 registers
constexpr int ROWS = 4;                    // rows of the weights that a thread multiplies at once
constexpr int ITEMS = 2;                   // elements of a tile's states that a thread computes
constexpr int VECTOR = 16 / sizeof(REAL);  // numbers in 16 bytes
constexpr int LANES = 8, LINE = LANES * VECTOR;  // 8 lanes read 128 bytes of a row: no bank conflicts
constexpr bool GRID = MODE == 2;
constexpr int BUFFERS = MODE == 1 ? 2 : 1;
constexpr int NONE = 1 << 30;
constexpr unsigned PATIENCE = 1u << 24;  // looks at a counter: some seconds
static_assert(TILE * ROWS % LANES == 0, "the lanes share the sums evenly");

DEVICE int round_up(int n, int step) { return (n + step - 1) / step * step; }

// ---------------------------------------------------------------- products

// Add up N numbers of each of 8 lanes. Each lane ends with N / 8 of the sums, in `a`
// from 0; they are those from the place that is returned.
template <int N, int BIT> DEVICE int add_lanes(REAL* a, int lane, unsigned mask) {
    if constexpr (BIT == 0) {
        return 0;
    } else {
        const bool upper = lane & BIT;  // keeps the upper half, gives away the lower
#pragma unroll
        for (int i = 0; i < N / 2; i++) {
            const REAL given = upper ? a[i] : a[i + N / 2];
            const REAL own = upper ? a[i + N / 2] : a[i];
            a[i] = own + __shfl_xor_sync(mask, given, BIT);
        }
        return (upper ? N / 2 : 0) + add_lanes<N / 2, BIT / 2>(a, lane, mask);
    }
}

// z[part][b][row] = the sum of w[row][k] x[b][k] over the columns k of a part. Rows have
// `pitch` columns, which are zeros from the last one on. Each 8 lanes have some rows of
// one part, and read neighbouring columns of them.
DEVICE void multiply(Shared<const REAL> w, Shared<const REAL> x, Shared<REAL> z, int rows,
                     int pitch, int parts) {
    const int lane = threadIdx.x % LANES, team = threadIdx.x / LANES;
    const int teams = blockDim.x / LANES / parts, part = team / teams, columns = pitch / parts;
    const unsigned mask = 0xffu << (threadIdx.x & 24);  // the 8 lanes within their warp
    if (part >= parts) return;
    w += part * columns + lane * VECTOR;
    x += part * columns + lane * VECTOR;
    for (int row = team % teams * ROWS; row < rows; row += teams * ROWS) {
        REAL sums[TILE * ROWS] = {};
        for (int k = 0; k < columns; k += LINE) {
            REAL a[ROWS][VECTOR], b[TILE][VECTOR];
#pragma unroll
            for (int r = 0; r < ROWS; r++) load(w + ((row + r) * pitch + k), a[r]);
#pragma unroll
            for (int j = 0; j < TILE; j++) load(x + (j * pitch + k), b[j]);
#pragma unroll
            for (int i = 0; i < VECTOR; i++)
#pragma unroll
                for (int j = 0; j < TILE; j++)
#pragma unroll
                    for (int r = 0; r < ROWS; r++)
                        sums[j * ROWS + r] = fma(a[r][i], b[j][i], sums[j * ROWS + r]);
        }
        const int place = add_lanes<TILE * ROWS, LANES / 2>(sums, lane, mask);
#pragma unroll
        for (int i = 0; i < TILE * ROWS / LANES; i++) {
            const int b = (place + i) / ROWS, r = (place + i) % ROWS;
            z[(part * TILE + b) * rows + row + r] = sums[i];
        }
    }
}

// Add up the parts of one element of what `multiply` made.
DEVICE REAL total(Shared<const REAL> z, int b, int row, int rows, int parts) {
    REAL sum = 0;
    for (int part = 0; part < parts; part++) sum += z[(part * TILE + b) * rows + row];
    return sum;
}

// ---------------------------------------------------------------- groups of blocks

// Copy `count` rows of `size` that the group left in global memory, for the products.
DEVICE void fetch(Shared<REAL> to, In<REAL> from, int count, int size, int pitch) {
    if (size % VECTOR == 0) {
        const int vectors = size / VECTOR;
        for (int i = threadIdx.x; i < count * vectors; i += blockDim.x) {
            const int b = i / vectors, k = i % vectors * VECTOR;
            REAL v[VECTOR];
            load_from_others(from + ((long long)b * size + k), v);
            store(to + (b * pitch + k), v);
        }
    } else {
        for (int i = threadIdx.x; i < count * size; i += blockDim.x)
            to[i / size * pitch + i % size] = load_from_others(from + i);
    }
}

// A barrier of all blocks of a group, which have met when the counter is at `all`.
//
// Memory order: the block's barrier puts the writes of all its threads before the first
// fence of thread 0, which puts them before the counting. Who sees the count reads, past
// the second fence and the second barrier, what was written before it.
DEVICE void wait_for_group(InOut<unsigned> counter, unsigned all) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(counter, 1u);
        for (unsigned looks = 0; look_at(counter) < all; looks++)
            if (looks > PATIENCE) give_up();
        __threadfence();
    }
    __syncthreads();
}

// Put a number into its place in the shared memory of every block of the group.
DEVICE void share(Shared<REAL> x, int place, REAL value, int ranks) {
    if (MODE == 0) {
        x[place] = value;
    } else {
        for (int rank = 0; rank < ranks; rank++) of_rank(x, rank)[place] = value;
    }
}

// The block's part of the work: sequences and units, and which of them are this thread's.
// A tile is TILE sequences by `units`; the thread has ITEMS elements of each.
struct Part {
    int first, count;      // sequences
    int unit;              // the first hidden unit
    int b[ITEMS], u[ITEMS];  // within a tile and the units; b is NONE where there is none
    DEVICE Part(int batch, int hidden, int units, int ranks, int slice) {
        first = blockIdx.x / ranks * slice;
        count = min(slice, batch - first);
        unit = blockIdx.x % ranks * units;
#pragma unroll
        for (int i = 0; i < ITEMS; i++) {
            const int item = threadIdx.x + i * blockDim.x;
            b[i] = item / units, u[i] = item % units;
            if (b[i] >= TILE || unit + u[i] >= hidden) b[i] = NONE;
        }
    }
};

// ---------------------------------------------------------------- forward

extern "C" __global__ void CLUSTER __launch_bounds__(THREADS, 1) scan_forward(
    In<REAL> inputs,  // (T, B, G, H): W_ih x and all biases but b_n
    In<REAL> w_hh,    // (G * H, H)
    In<REAL> b_n,     // (H,) of a GRU, or null: b_hn, which r multiplies
    In<REAL> h_0,     // (B, H) or null
    In<REAL> c_0,     // (B, H) or null
    Out<REAL> states, // (T + 1, B, H): h before and after each step
    Out<REAL> cells,  // (T + 1, B, H) of an LSTM: c
    Out<REAL> kept,   // (T, B, 4, H): see cells.cuh; null of an RNN
    Out<REAL> output, // (T, B, H) or null: h, and zeros in the padding
    Out<REAL> h_n,    // (B, H)
    Out<REAL> c_n,    // (B, H) of an LSTM
    In<int> lengths,  // (B,) or null
    InOut<unsigned> counters,  // a line of 32 for each group, zeros; only the grid uses them
    int steps, int batch, int hidden, int units, int ranks, int slice, int parts, int reverse,
    int relu) {
    const Part part(batch, hidden, units, ranks, slice);
    const int H = hidden, rows = round_up(G * units, ROWS), pitch = round_up(H, LINE * parts);
    const int held = GRID ? TILE : round_up(slice, TILE);  // states in shared memory
    const long long layer = (long long)batch * H;          // of a step
    SHARED_MEMORY(w);
    Shared<REAL> x = w + rows * pitch, z = x + BUFFERS * held * pitch;
    Shared<REAL> c = z + parts * TILE * rows;

    for (int i = threadIdx.x; i < rows * pitch; i += blockDim.x) {
        const int row = i / pitch, k = i % pitch, u = row % units, g = row / units;
        const bool is = g < G && part.unit + u < H && k < H;
        w[i] = is ? w_hh[(long long)(g * H + part.unit + u) * H + k] : REAL(0);
    }
    for (int i = threadIdx.x; i < BUFFERS * held * pitch; i += blockDim.x) {
        const int b = i / pitch, k = i % pitch;
        const bool is = !GRID && b < part.count && k < H && h_0;
        x[i] = is ? h_0[(long long)(part.first + b) * H + k] : REAL(0);
    }
    const long long begin = reverse ? steps * layer : 0;
    for (int tile = 0; tile < part.count; tile += TILE)
        for (int i = 0; i < ITEMS; i++)
            if (part.b[i] < min(TILE, part.count - tile)) {
                const int b = tile + part.b[i], u = part.unit + part.u[i];
                const long long at = (long long)(part.first + b) * H + u;
                states[begin + at] = h_0 ? REAL(h_0[at]) : REAL(0);
                if (G == LSTM) {
                    const REAL first = c_0 ? REAL(c_0[at]) : REAL(0);
                    c[b * units + part.u[i]] = first;
                    cells[begin + at] = first;
                }
            }
    unsigned met = ranks;
    InOut<unsigned> counter = counters + blockIdx.x / ranks * 32;
    if (GRID) wait_for_group(counter, met);
    else if (MODE == 1) wait_for_cluster();
    else __syncthreads();

    for (int s = 0; s < steps; s++) {
        const int t = reverse ? steps - 1 - s : s;
        const bool last = s == steps - 1;
        const long long before = (t + reverse) * layer, after = (t + 1 - reverse) * layer;
        for (int tile = 0; tile < part.count; tile += TILE) {
            const int here = min(TILE, part.count - tile);
            Shared<REAL> h = GRID ? x : x + (s % BUFFERS * held + tile) * pitch;
            // What the equations need is on its way during the products.
            REAL input[ITEMS][G], old[ITEMS];
            bool goes_on[ITEMS];
#pragma unroll
            for (int i = 0; i < ITEMS; i++)
                if (part.b[i] < here) {
                    const int b = part.first + tile + part.b[i], u = part.unit + part.u[i];
#pragma unroll
                    for (int g = 0; g < G; g++)
                        input[i][g] = inputs[(((long long)t * batch + b) * G + g) * H + u];
                    goes_on[i] = !lengths || t < lengths[b];
                    const bool needed = G == GRU || lengths;
                    old[i] = needed ? REAL(states[before + (long long)b * H + u]) : REAL(0);
                }
            if (GRID) {
                fetch(h, states + (before + (long long)(part.first + tile) * H), here, H, pitch);
                __syncthreads();
            }
            multiply(w, h, z, rows, pitch, parts);
            __syncthreads();
#pragma unroll
            for (int i = 0; i < ITEMS; i++)
                if (part.b[i] < here) {
                    const int b = part.first + tile + part.b[i], u = part.unit + part.u[i];
                    const long long at = (long long)b * H + u;
                    const int place = (tile + part.b[i]) * units + part.u[i];
                    REAL recurrent[G], values[KEPT], new_h = old[i], new_c = 0;
#pragma unroll
                    for (int g = 0; g < G; g++)
                        recurrent[g] = total(z, part.b[i], g * units + part.u[i], rows, parts);
                    const REAL old_c = G == LSTM ? REAL(c[place]) : REAL(0);
                    new_c = old_c;
                    step(recurrent, input[i], b_n ? REAL(b_n[u]) : REAL(0), relu, new_h, new_c, values);
                    if (!goes_on[i]) new_h = old[i], new_c = old_c;
                    if (!GRID && !last) {
                        const int row = (s + 1) % BUFFERS * held + tile + part.b[i];
                        share(x, row * pitch + u, new_h, ranks);
                    }
                    states[after + at] = new_h;
                    if (output) output[t * layer + at] = goes_on[i] ? new_h : REAL(0);
                    if (last) h_n[at] = new_h;
                    if (G == LSTM) {
                        c[place] = new_c;
                        cells[after + at] = new_c;
                        if (last) c_n[at] = new_c;
                    }
                    if (G != RNN)
#pragma unroll
                        for (int k = 0; k < KEPT; k++)
                            kept[(((long long)t * batch + b) * KEPT + k) * H + u] = values[k];
                }
            // The next tile's products overwrite z, and read what was shared here.
            if (MODE == 0 || (MODE == 1 && tile + TILE < part.count)) __syncthreads();
        }
        met += ranks;
        if (GRID && !last) wait_for_group(counter, met);
        if (MODE == 1 && !last) wait_for_cluster();
    }
}

// ---------------------------------------------------------------- backward

extern "C" __global__ void CLUSTER __launch_bounds__(THREADS, 1) scan_backward(
    In<REAL> g_output,  // (T, B, H) or null
    In<REAL> g_h_n,     // (B, H) or null
    In<REAL> g_c_n,     // (B, H) or null
    In<REAL> w_hh, In<REAL> states, In<REAL> cells, In<REAL> kept,  // of the forward
    Out<REAL> g_sums,   // (T, B, G, H)
    Out<REAL> g_n,      // (T, B, H) of a GRU: see cells.cuh
    Out<REAL> g_h_0,    // (B, H)
    Out<REAL> g_c_0,    // (B, H) of an LSTM
    In<int> lengths, InOut<unsigned> counters, int steps, int batch, int hidden, int units,
    int ranks, int slice, int parts, int reverse, int relu) {
    const Part part(batch, hidden, units, ranks, slice);
    const int H = hidden, K = G * H, rows = round_up(units, ROWS);
    const int pitch = round_up(K, LINE * parts);
    const int held = GRID ? TILE : round_up(slice, TILE);
    const long long layer = (long long)batch * H;
    SHARED_MEMORY(w);
    Shared<REAL> x = w + rows * pitch, z = x + BUFFERS * held * pitch;
    Shared<REAL> direct = z + parts * TILE * rows;  // see cells.cuh, for the next step
    Shared<REAL> g_c = direct + round_up(slice, TILE) * units;

    for (int i = threadIdx.x; i < rows * pitch; i += blockDim.x) {
        const int u = i % rows, k = i / rows;  // neighbours read neighbours
        const bool is = u < units && part.unit + u < H && k < K;
        w[u * pitch + k] = is ? w_hh[(long long)k * H + part.unit + u] : REAL(0);
    }
    for (int i = threadIdx.x; i < BUFFERS * held * pitch; i += blockDim.x) x[i] = 0;
    if (MODE == 1) wait_for_cluster();
    else __syncthreads();
    unsigned met = 0;
    InOut<unsigned> counter = counters + blockIdx.x / ranks * 32;

    // One more time than there are steps: the last is for g_h_0 alone.
    for (int s = 0; s <= steps; s++) {
        const int t = reverse ? s : steps - 1 - s, done = reverse ? t - 1 : t + 1;
        const bool more = s < steps;
        for (int tile = 0; tile < part.count; tile += TILE) {
            const int here = min(TILE, part.count - tile);
            Shared<REAL> g = GRID ? x : x + (s % BUFFERS * held + tile) * pitch;
            REAL g_out[ITEMS];
            Step was[ITEMS];
            bool goes_on[ITEMS];
#pragma unroll
            for (int i = 0; i < ITEMS; i++)
                if (part.b[i] < here) {
                    const int b = part.first + tile + part.b[i], u = part.unit + part.u[i];
                    const long long at = (long long)b * H + u;
                    const long long before = (t + reverse) * layer + at;
                    const long long after = (t + 1 - reverse) * layer + at;
                    goes_on[i] = more && (!lengths || t < lengths[b]);
                    if (!goes_on[i]) continue;
                    g_out[i] = g_output ? REAL(g_output[t * layer + at]) : REAL(0);
                    if (G == RNN) was[i].after = states[after];
                    if (G == LSTM) was[i].before = cells[before], was[i].after = cells[after];
                    if (G == GRU) was[i].before = states[before];
                    if (G != RNN)
#pragma unroll
                        for (int k = 0; k < KEPT; k++)
                            was[i].kept[k] = kept[(((long long)t * batch + b) * KEPT + k) * H + u];
                }
            if (s > 0) {
                if (GRID) {
                    const long long from = (long long)done * batch + part.first + tile;
                    fetch(g, g_sums + from * K, here, K, pitch);
                    __syncthreads();
                }
                multiply(w, g, z, rows, pitch, parts);
                __syncthreads();
            }
#pragma unroll
            for (int i = 0; i < ITEMS; i++)
                if (part.b[i] < here) {
                    const int b = part.first + tile + part.b[i], u = part.unit + part.u[i];
                    const int place = (tile + part.b[i]) * units + part.u[i];
                    const long long at = (long long)b * H + u;
                    REAL g_h, g_cell = 0;
                    if (s == 0) g_h = g_h_n ? REAL(g_h_n[at]) : REAL(0);
                    else g_h = direct[place] + total(z, part.b[i], part.u[i], rows, parts);
                    if (G == LSTM && s == 0) g_cell = g_c_n ? REAL(g_c_n[at]) : REAL(0);
                    if (G == LSTM && s > 0) g_cell = g_c[place];
                    if (!more) {
                        g_h_0[at] = g_h;
                        if (G == LSTM) g_c_0[at] = g_cell;
                        continue;
                    }
                    Gradient back = {};
                    if (goes_on[i]) back = step_back(g_h + g_out[i], g_cell, was[i], relu);
                    else back.direct = g_h;  // the state did not change
                    direct[place] = back.direct;
                    if (G == LSTM) g_c[place] = g_cell;
                    if (G == GRU) g_n[t * layer + at] = back.n;
#pragma unroll
                    for (int k = 0; k < G; k++) {
                        g_sums[(((long long)t * batch + b) * G + k) * H + u] = back.sums[k];
                        if (!GRID) {
                            const int row = (s + 1) % BUFFERS * held + tile + part.b[i];
                            share(x, row * pitch + k * H + u, back.sums[k], ranks);
                        }
                    }
                }
            if (MODE == 0 || (MODE == 1 && tile + TILE < part.count)) __syncthreads();
        }
        met += ranks;
        if (GRID && more) wait_for_group(counter, met);
        if (MODE == 1 && more) wait_for_cluster();
    }
}
