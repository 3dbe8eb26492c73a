/* The kernels for each instruction set that this processor family has. */

/* Tests of planted bugs compile the base alone. */
#if defined(__x86_64__) && !defined(BASE_ALONE)
#define HAS_AVX
#include <cpuid.h>
#endif

#include "api.h"
#include "variants.h"

#define PASTE_EXPANDED(name, type, isa) name##_##type##_##isa
#define PASTE(name, type, isa) PASTE_EXPANDED(name, type, isa)
#define VARIANT(name) PASTE(name, FLOAT, ISA)

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#define BEGIN_TARGET(features) \
    PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_TARGET PRAGMA(clang attribute pop)
#else
#define UNROLL _Pragma("GCC unroll 16")
#define BEGIN_TARGET(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define END_TARGET PRAGMA(GCC pop_options)
#endif
#define PRAGMA(words) _Pragma(#words)

/* Coefficients of (expm1(r) - r) / r^2, highest first: 1/n! from n = 7 or 13 to 2. */
static const float exp_terms_f32[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120,
                                      1.0f / 24,   1.0f / 6,   1.0f / 2};
static const double exp_terms_f64[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800,
                                       1.0 / 3628800,    1.0 / 362880,    1.0 / 40320,
                                       1.0 / 5040,       1.0 / 720,       1.0 / 120,
                                       1.0 / 24,         1.0 / 6,         1.0 / 2};

#include "names.h"

/* 128 bits: what every x86-64 (SSE2) and arm64 (NEON) processor has. */
#define ISA base
#define VECTOR_BYTES 16
#ifdef __aarch64__
#define VECTOR_REGISTERS 32
#else
#define VECTOR_REGISTERS 16
#endif
#include "variant.h"
#undef ISA
#undef VECTOR_BYTES
#undef VECTOR_REGISTERS

#ifdef HAS_AVX
BEGIN_TARGET("avx2,fma")
#define ISA avx2
#define VECTOR_BYTES 32
#define VECTOR_REGISTERS 16
#include "variant.h"
#undef ISA
#undef VECTOR_BYTES
#undef VECTOR_REGISTERS
END_TARGET

BEGIN_TARGET("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")
#define ISA avx512
#define VECTOR_BYTES 64
#define VECTOR_REGISTERS 32
#include "variant.h"
#undef ISA
#undef VECTOR_BYTES
#undef VECTOR_REGISTERS
END_TARGET
#endif

const instruction_set instruction_sets[] = {
#ifdef HAS_AVX
    {"avx512", {&kernels_f32_avx512, &kernels_f64_avx512}},
    {"avx2", {&kernels_f32_avx2, &kernels_f64_avx2}},
#endif
    {"base", {&kernels_f32_base, &kernels_f64_base}},
    {NULL, {NULL, NULL}},
};

#ifdef HAS_AVX
/* What the processor has and the operating system saves, by cpuid and xgetbv (Intel
   Software Developer's Manual, volume 1, 14.3 and 15.2). __builtin_cpu_supports would
   need a library that clang-cl does not link. */
enum { AVX2 = 1, AVX512 = 2 };

static int find_extensions(void)
{
    enum { FMA = 1 << 12, OSXSAVE = 1 << 27, YMM_STATE = 0x06, ZMM_STATE = 0xe6 };
    const unsigned avx2 = 1u << 5;
    const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    unsigned a, b, c, d, state, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE) || !(c & FMA))
        return 0;
    __asm__("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    int found = 0;
    if ((state & YMM_STATE) == YMM_STATE && (b & avx2))
        found = AVX2;
    if (found && (state & ZMM_STATE) == ZMM_STATE && (b & f_dq_bw_vl) == f_dq_bw_vl)
        found |= AVX512;
    return found;
}
#endif

int is_supported(const char *name)
{
    if (!strcmp(name, "base"))
        return 1;
#ifdef HAS_AVX
    return (find_extensions() & (!strcmp(name, "avx2") ? AVX2 : AVX512)) != 0;
#else
    return 0;
#endif
}

/* The product of two sizes that are not negative; -1 if it overflows or one is -1. */
static ptrdiff_t times(ptrdiff_t a, ptrdiff_t b)
{
    ptrdiff_t result;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &result) ? -1 : result;
}

static ptrdiff_t plus(ptrdiff_t a, ptrdiff_t b)
{
    ptrdiff_t result;
    return a < 0 || b < 0 || __builtin_add_overflow(a, b, &result) ? -1 : result;
}

static ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b)
{
    return a < 0 || b < 0 ? -1 : a > b ? a : b;
}

ptrdiff_t room_for(const scan_shape *s, int gates, size_t item_size)
{
    enum { PADDING = 64 }; /* at most, of the columns of a packed matrix */
    ptrdiff_t width = times(gates, s->hidden), rows = times(plus(s->steps, 1), s->batch);
    ptrdiff_t wide = plus(width, gates * PADDING), deep = plus(s->hidden, PADDING);
    ptrdiff_t weights = times(wide, deep); /* W_hh, either way */
    ptrdiff_t inputs = times(plus(s->input, PADDING), wide); /* W_ih or a table */
    ptrdiff_t states = times(rows, plus(larger(s->input, s->hidden), PADDING));
    ptrdiff_t forward = plus(plus(weights, inputs), wide);
    return times(larger(forward, larger(inputs, states)), (ptrdiff_t)item_size);
}

ptrdiff_t linear_room(const linear_call *c, size_t item_size)
{
    enum { PADDING = 64 };
    ptrdiff_t forward = times(c->input, plus(c->output, PADDING));
    ptrdiff_t columns = plus(c->input, PADDING);
    ptrdiff_t backward = times(larger(c->rows, c->output), columns);
    return times(larger(forward, backward), (ptrdiff_t)item_size);
}
