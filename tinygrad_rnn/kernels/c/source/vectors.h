/* Vectors of floats by the extension that GCC and Clang share.

   A function that takes `count` handles the last, partial vector of a row: lanes from
   `count` on are not read or written, and hold 0 when loaded. */

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real loose_vec
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef integer vec_int __attribute__((vector_size(VECTOR_BYTES)));

#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(real)))

static inline vec load(const real *from, ptrdiff_t count)
{
    if (count >= LANES)
        return *(const loose_vec *)from;
    vec x = {0};
    memcpy(&x, from, (size_t)count * sizeof(real));
    return x;
}

static inline void store(real *to, vec x, ptrdiff_t count)
{
    if (count >= LANES)
        *(loose_vec *)to = x;
    else
        memcpy(to, &x, (size_t)count * sizeof(real));
}

static inline vec select(vec_int condition, vec yes, vec no)
{
    return (vec)(((vec_int)yes & condition) | ((vec_int)no & ~condition));
}

/* The sum of the lanes, pair by pair. */
static inline real add_lanes(vec x)
{
    real lanes[LANES];
    memcpy(lanes, &x, sizeof(x));
    UNROLL
    for (ptrdiff_t half = LANES / 2; half; half /= 2)
        UNROLL
        for (ptrdiff_t i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

/* p = expm1(r) and the power of two s, such that exp(y) = s + s p.

   Cody and Waite, Software Manual for the Elementary Functions, 1980: y = n log(2) + r
   with |r| <= log(2) / 2. Adding and subtracting 1.5 * 2^(bits of the fraction) rounds
   to the integer n and leaves it in the low bits; log(2) is subtracted in two parts, of
   which the first has enough trailing zeros for n times it to be exact. */
static inline vec exp_parts(vec y, vec *scale)
{
    vec shifted = y * (real)1.4426950408889634 + ROUND_TO_INTEGER;
    vec n = shifted - ROUND_TO_INTEGER;
    vec r = y - n * LOG2_HIGH - n * LOG2_LOW;
    *scale = (vec)(((vec_int)shifted + EXPONENT_BIAS) << FRACTION_BITS);
    vec sum = (vec){0} + EXP_TERMS[0];
    for (size_t i = 1; i < sizeof(EXP_TERMS) / sizeof(real); i++)
        sum = sum * r + EXP_TERMS[i];
    return r + r * r * sum;
}

/* exp(y) for y <= 0. Results that are too small for a normal number are computed 2^64
   times as large, since `scale` has to be a normal one. */
static inline vec exp_of(vec y)
{
    vec lowest = (vec){0} + EXP_LOWEST, scale; /* where exp rounds to 0 */
    y = select(y < lowest, lowest, y);
    vec p = exp_parts(y, &scale);
    vec_int is_small = y < EXP_SMALL;
    scale = (vec)((vec_int)scale + (is_small & ((integer)64 << FRACTION_BITS)));
    vec result = scale * p + scale;
    return select(is_small, result * (real)0x1p-64, result);
}

/* tanh(x) = e / (e + 2) with e = expm1(2 |x|), and the sign of x. */
static inline vec tanh_of(vec x)
{
    const vec_int sign_bit = (vec_int)(-(vec){0}); /* of -0.0 */
    vec_int sign = (vec_int)x & sign_bit;
    vec y = (vec)((vec_int)x & ~sign_bit) * 2, scale;
    vec highest = (vec){0} + TANH_HIGHEST; /* from here on tanh rounds to 1 */
    vec p = exp_parts(select(y > highest, highest, y), &scale);
    vec e = scale * p + (scale - 1);
    return (vec)((vec_int)(e / (e + 2)) | sign);
}

static inline vec sigmoid_of(vec x)
{
    return tanh_of(x * (real)0.5) * (real)0.5 + (real)0.5;
}

static inline vec relu_of(vec x)
{
    return select(x < 0, (vec){0}, x);
}
