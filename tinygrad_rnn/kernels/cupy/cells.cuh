// The equations of one step of RNN, LSTM and GRU, for one hidden unit of one sequence.
//
// They are those of kernels/numpy/rnn.py, lstm.py and gru.py, where they are derived.
// Compiled with -DGATES: 1 is an RNN, 4 an LSTM, 3 a GRU.

constexpr int G = GATES;
constexpr int RNN = 1, LSTM = 4, GRU = 3;
// What the backward needs of a step: i, f, g, o of an LSTM; r, u, n, m of a GRU.
constexpr int KEPT = 4;

DEVICE REAL sigmoid(REAL z) { return REAL(1) / (REAL(1) + exp(-z)); }

// From W_hh h and W_ih x + b, one number for each gate, and from h and c to the next.
DEVICE void step(const REAL (&recurrent)[G], const REAL (&input)[G], REAL b_n, bool relu,
                 REAL& h, REAL& c, REAL (&kept)[KEPT]) {
    if constexpr (G == RNN) {
        const REAL a = recurrent[0] + input[0];
        h = relu ? (a < 0 ? REAL(0) : a) : tanh(a);  // a NaN stays one
    } else if constexpr (G == LSTM) {
        const REAL i = sigmoid(recurrent[0] + input[0]), f = sigmoid(recurrent[1] + input[1]);
        const REAL g = tanh(recurrent[2] + input[2]), o = sigmoid(recurrent[3] + input[3]);
        c = f * c + i * g;
        h = o * tanh(c);
        kept[0] = i, kept[1] = f, kept[2] = g, kept[3] = o;
    } else {
        const REAL r = sigmoid(recurrent[0] + input[0]), u = sigmoid(recurrent[1] + input[1]);
        const REAL m = recurrent[2] + b_n, n = tanh(r * m + input[2]);
        h = n + u * (h - n);
        kept[0] = r, kept[1] = u, kept[2] = n, kept[3] = m;
    }
}

// What a step was: `kept`, and of its states those that the backward needs.
struct Step {
    REAL kept[KEPT];
    REAL before;  // c of an LSTM, h of a GRU
    REAL after;   // c of an LSTM, h of an RNN
};

// What flows back from a step.
struct Gradient {
    REAL sums[G];  // of the sums that enter the gates
    REAL n;        // of a GRU: of the input's part of n; sums[2] is that of m
    REAL direct;   // of h, past the weights
};

// From the gradients of h' and c' to those of the sums; g_c becomes that of c.
DEVICE Gradient step_back(REAL g_h, REAL& g_c, const Step& was, bool relu) {
    Gradient g = {};
    if constexpr (G == RNN) {
        const REAL slope = relu ? REAL(was.after > 0) : REAL(1) - was.after * was.after;
        g.sums[0] = g_h * slope;
    } else if constexpr (G == LSTM) {
        const REAL i = was.kept[0], f = was.kept[1], n = was.kept[2], o = was.kept[3];
        const REAL c = tanh(was.after);
        g_c += g_h * o * (REAL(1) - c * c);
        g.sums[0] = g_c * n * i * (REAL(1) - i);
        g.sums[1] = g_c * was.before * f * (REAL(1) - f);
        g.sums[2] = g_c * i * (REAL(1) - n * n);
        g.sums[3] = g_h * c * o * (REAL(1) - o);
        g_c *= f;
    } else {
        const REAL r = was.kept[0], u = was.kept[1], n = was.kept[2], m = was.kept[3];
        g.n = g_h * (REAL(1) - u) * (REAL(1) - n * n);
        g.sums[0] = g.n * m * r * (REAL(1) - r);
        g.sums[1] = g_h * (was.before - n) * u * (REAL(1) - u);
        g.sums[2] = g.n * r;
        g.direct = g_h * u;
    }
    return g;
}
