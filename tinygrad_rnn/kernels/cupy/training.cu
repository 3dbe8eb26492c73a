// The rest of a training step: checks of ids, rows by ids and their gradient, cross
// entropy, clipping and Adam. None of them waits for the host. Compiled with -DREAL=float|double
// -DMODE=0. All sums are added up in a fixed order: equal calls give equal bits.

typedef long long int64;
constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;

DEVICE REAL add_warp(REAL value) {
    for (int bit = WARP / 2; bit; bit /= 2) value += __shfl_xor_sync(ALL_LANES, value, bit);
    return value;
}

// Add up a number of each thread of the block, whose size is a power of 2.
template <class T> DEVICE T add_block(Shared<T> sums, T value) {
    sums[threadIdx.x] = value;
    for (int half = blockDim.x / 2; half; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) sums[threadIdx.x] += T(sums[threadIdx.x + half]);
    }
    __syncthreads();
    const T sum = sums[0];
    __syncthreads();  // the next call overwrites it
    return sum;
}

// ---------------------------------------------------------------- errors

// Write an error into the record of the device, whose first one stays: the number of the
// check, and two numbers for its message. backend/pending.py reads it. One thread.
DEVICE void report(InOut<int64> record, int64 check, int64 place, int64 value) {
    if (record[0]) return;
    record[0] = check, record[1] = place, record[2] = value;
}

// One block reports the first of `ids` that is outside of [0, rows), and not `ignored`,
// by the number `if_wrong`; and by `if_none`, unless that is 0, that none counts: they
// are ignored, or have a weight of 0. In double, which numbers places exactly.
extern "C" __global__ void check_ids(
    In<int64> ids, In<double> weight,  // weight (rows,) or null
    InOut<int64> record, int64 count, int64 rows, int64 ignored, int if_wrong, int if_none) {
    SHARED_DOUBLES(shared);
    int64 wrong = count;  // the place of the first one
    bool counts = false;
    for (int64 i = threadIdx.x; i < count; i += blockDim.x) {
        const int64 id = ids[i];
        if (id == ignored) continue;
        if (id < 0 || id >= rows) wrong = min(wrong, i);
        else if (!weight || weight[id] != 0) counts = true;
    }
    shared[threadIdx.x] = wrong;
    shared[blockDim.x + threadIdx.x] = counts;
    __syncthreads();
    if (threadIdx.x) return;
    for (int i = 1; i < (int)blockDim.x; i++) {
        wrong = min(wrong, int64(shared[i]));
        counts = counts || shared[blockDim.x + i] != 0;
    }
    if (wrong < count) report(record, if_wrong, wrong, ids[wrong]);
    else if (if_none && !counts) report(record, if_none, 0, 0);
}

// ---------------------------------------------------------------- ids

// out[i] = table[ids[i]] + bias, where table[id][k] stands at id * id_stride + k * stride.
// An id that is out of range reads the first row instead of foreign memory.
extern "C" __global__ void take_rows(
    In<REAL> table, In<REAL> bias, In<int> ids, Out<REAL> out, int count, int width, int rows,
    int id_stride, int stride) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (long long)count * width; i += step) {
        const int k = i % width;
        int id = ids[i / width];
        if ((unsigned)id >= (unsigned)rows) id = 0;
        const REAL value = table[(long long)id * id_stride + (long long)k * stride];
        out[i] = bias ? value + bias[k] : value;
    }
}

// table[v] = the sum of the rows of g (count, width) whose id is v; it stands at
// v * id_stride + k * stride. `order` sorts the ids, and those of v are its places from
// starts[v] to starts[v + 1]. A block has 32 columns of one v, and a team of 32 threads
// each fourth row.
extern "C" __global__ void __launch_bounds__(128) add_rows(
    In<REAL> g, In<int> order, In<int> starts, Out<REAL> table, int width, int id_stride,
    int stride) {
    SHARED_MEMORY(sums);
    const int lane = threadIdx.x % WARP, team = threadIdx.x / WARP, teams = blockDim.x / WARP;
    const int v = blockIdx.x, k = blockIdx.y * WARP + lane;
    REAL sum = 0;
    if (k < width)
        for (int i = starts[v] + team; i < starts[v + 1]; i += teams)
            sum += g[(long long)order[i] * width + k];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (team == 0 && k < width) {
        for (int other = 1; other < teams; other++) sum += sums[other * WARP + lane];
        table[(long long)v * id_stride + (long long)k * stride] = sum;
    }
}

// ---------------------------------------------------------------- cross entropy

// kernels/numpy/loss.py has the equations. A warp has a row of the logits (N, V).
extern "C" __global__ void cross_entropy_rows(
    In<REAL> logits, In<int> target, In<REAL> weight,  // weight (V,) or null
    Out<REAL> losses,      // (N,)
    Out<REAL> row_weights, // (N,): that of the target, 0 of ignored rows
    Out<REAL> largest,     // (N,): the largest logit of each row
    Out<REAL> sums,        // (N,): the sum of exp(x - largest)
    int count, int classes, int ignore_index, REAL smoothing) {
    const int lane = threadIdx.x % WARP;
    const int row = (blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    if (row >= count) return;  // the whole warp
    In<REAL> x = logits + (long long)row * classes;

    // The first of the largest logits. A NaN is larger than any number.
    int where = lane < classes ? lane : 0;
    REAL top = x[where];
    for (int k = lane + WARP; k < classes; k += WARP) {
        const REAL value = x[k];
        if (value > top || (value != value && top == top)) top = value, where = k;
    }
    for (int bit = WARP / 2; bit; bit /= 2) {
        const REAL value = __shfl_xor_sync(ALL_LANES, top, bit);
        const int other = __shfl_xor_sync(ALL_LANES, where, bit);
        const bool is_nan = value != value, was_nan = top != top;
        const bool equal = value == top || (is_nan && was_nan);
        if (is_nan > was_nan || (is_nan == was_nan && value > top) || (equal && other < where))
            top = value, where = other;
    }

    // The sum without its largest term, which is 1: log1p of it is exact if it is small.
    REAL rest = 0, smooth = 0;
    for (int k = lane; k < classes; k += WARP) {
        const REAL z = x[k] - top;
        if (k != where) rest += exp(z);
        if (smoothing != 0) smooth += weight ? weight[k] * z : z;
    }
    rest = add_warp(rest);
    REAL all = 0;  // of the weights
    if (smoothing != 0) {
        smooth = add_warp(smooth);
        for (int k = lane; k < classes; k += WARP) all += weight ? REAL(weight[k]) : REAL(1);
        all = add_warp(all);
    }
    if (lane) return;
    const int t = target[row];
    const bool counts = t != ignore_index && (unsigned)t < (unsigned)classes;
    const REAL of_target = !counts ? REAL(0) : weight ? REAL(weight[t]) : REAL(1);
    const REAL log_sum = log1p(rest);
    REAL loss = 0;
    if (counts) {
        loss = (REAL(1) - smoothing) * of_target * (log_sum - (x[t] - top));
        if (smoothing != 0) loss += smoothing / classes * (all * log_sum - smooth);
    }
    losses[row] = loss;
    row_weights[row] = of_target;
    largest[row] = top;
    sums[row] = rest + REAL(1);
}

// One block: the sum or the mean of the losses, and what the sum was divided by.
extern "C" __global__ void cross_entropy_total(
    In<REAL> losses, In<REAL> row_weights, Out<REAL> loss, Out<REAL> divisor, int count, int mean) {
    SHARED_MEMORY(shared);
    REAL sum = 0, weights = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += losses[i], weights += row_weights[i];
    sum = add_block(shared, sum);
    weights = add_block(shared, weights);
    if (threadIdx.x) return;
    loss[0] = mean ? sum / weights : sum;
    divisor[0] = mean ? weights : REAL(1);
}

// g = ((1 - e) w_t + e / V sum w) p - (1 - e) w_t onehot(t) - e / V w, times the loss's
// gradient over the divisor. A warp has a row.
extern "C" __global__ void cross_entropy_gradient(
    In<REAL> logits, In<int> target, In<REAL> weight, In<REAL> row_weights, In<REAL> largest,
    In<REAL> sums, In<REAL> divisor,  // null for "none"
    In<REAL> g_loss,                  // 0-d, or (N,) for "none"
    Out<REAL> g, int count, int classes, int ignore_index, REAL smoothing) {
    const int lane = threadIdx.x % WARP;
    const int row = (blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    if (row >= count) return;
    In<REAL> x = logits + (long long)row * classes;
    Out<REAL> out = g + (long long)row * classes;
    const int t = target[row];
    const bool counts = t != ignore_index && (unsigned)t < (unsigned)classes;
    REAL all = 0;
    if (smoothing != 0) {
        for (int k = lane; k < classes; k += WARP) all += weight ? REAL(weight[k]) : REAL(1);
        all = add_warp(all);
    }
    const REAL scale = divisor ? g_loss[0] / divisor[0] : REAL(g_loss[row]);
    const REAL at_target = scale * (REAL(1) - smoothing) * row_weights[row];
    const REAL at_all = scale * (smoothing / classes);
    const REAL factor = (at_target + at_all * all) / sums[row], top = largest[row];
    for (int k = lane; k < classes; k += WARP) {
        REAL value = 0;  // of an ignored row, even if its logits are NaN
        if (counts) {
            value = factor * exp(x[k] - top);
            if (k == t) value -= at_target;
            if (smoothing != 0) value -= weight ? at_all * weight[k] : at_all;
        }
        out[k] = value;
    }
}

// ---------------------------------------------------------------- clipping and Adam

// One sum of squares for each block. In double, squares of floats stay in range.
extern "C" __global__ void add_squares(In<REAL> g, Out<double> partial, int64 count) {
    SHARED_DOUBLES(shared);
    const int64 step = (int64)gridDim.x * blockDim.x;
    double sum = 0;
    for (int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const double value = g[i];
        sum = fma(value, value, sum);
    }
    sum = add_block<double>(shared, sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// The sum of the partial sums, in their order: one thread.
extern "C" __global__ void add_partials(In<double> partial, Out<double> sum, int count) {
    double total = 0;
    for (int i = 0; i < count; i++) total += partial[i];
    sum[0] = total;
}

// One block: the norm, and the factor that makes it at most `max_norm`. With a check, the
// first partial sum that is not finite is reported, with 1 for a NaN, and the factor is
// -1, which stands for gradients of 0.
extern "C" __global__ void norm_and_factor(
    In<double> partial, Out<REAL> norm, Out<double> factor, InOut<int64> record, int count,
    double max_norm, int check) {
    SHARED_DOUBLES(shared);
    double sum = 0;
    int wrong = count;
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        const double value = partial[i];
        sum += value;
        if (value - value != 0) wrong = min(wrong, i);
    }
    const double found = sqrt(add_block<double>(shared, sum));
    shared[threadIdx.x] = wrong;
    __syncthreads();
    if (threadIdx.x) return;
    for (int i = 1; i < (int)blockDim.x; i++) wrong = min(wrong, int(shared[i]));
    const double scale = max_norm / (found + 1e-6);
    norm[0] = found;
    factor[0] = scale >= 1 ? 1 : scale;  // a NaN stays
    if (!check || wrong == count) return;
    const double value = partial[wrong];
    report(record, check, wrong, value != value);
    factor[0] = -1;
}

// Multiply gradients by the factor of norm_and_factor.
extern "C" __global__ void clip_to_norm(InOut<REAL> g, In<double> factor, int64 count) {
    const double scale = factor[0];
    if (scale == 1) return;
    const int64 step = (int64)gridDim.x * blockDim.x;
    for (int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step)
        g[i] = scale < 0 ? REAL(0) : REAL(g[i] * scale);
}

// kernels/numpy/optimizer.py has the equations; `rate` and `floor` hold the corrections.
extern "C" __global__ void adam(
    InOut<REAL> param, In<REAL> grad, InOut<REAL> exp_avg, InOut<REAL> exp_avg_sq,
    InOut<REAL> max_exp_avg_sq,  // null without amsgrad
    REAL new_avg, REAL keep_sq, REAL new_sq, REAL floor, REAL rate,
    REAL shrink,  // times the parameter, first: decoupled decay, or 1
    REAL decay,   // times the parameter, added to the gradient
    long long count) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        REAL p = param[i], g = grad[i], m = exp_avg[i], v = exp_avg_sq[i];
        p *= shrink;
        if (decay != 0) g += decay * p;
        m += (g - m) * new_avg;
        v = v * keep_sq + g * g * new_sq;
        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        if (max_exp_avg_sq) {
            const REAL largest = max_exp_avg_sq[i];
            if (!(v < largest) && largest == largest) max_exp_avg_sq[i] = v;  // a NaN stays
            else v = largest;
        }
        param[i] = p - m / (sqrt(v) + floor) * rate;
    }
}
