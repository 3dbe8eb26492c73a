/* All kernels for the instruction set ISA, in both float types; see names.h. */

#define FLOAT f32
#define real float
#define integer int32_t
#define ROUND_TO_INTEGER 12582912.0f /* 1.5 * 2^23 */
#define LOG2_HIGH 0.693145751953125f
#define LOG2_LOW 1.42860682030941723212e-6f
#define EXPONENT_BIAS 127
#define FRACTION_BITS 23
#define EXP_LOWEST -104.0f
#define EXP_SMALL -87.0f
#define TANH_HIGHEST 20.0f
#define EXP_TERMS exp_terms_f32
#define square_root sqrtf
#include "kernels.h"
#undef FLOAT
#undef real
#undef integer
#undef ROUND_TO_INTEGER
#undef LOG2_HIGH
#undef LOG2_LOW
#undef EXPONENT_BIAS
#undef FRACTION_BITS
#undef EXP_LOWEST
#undef EXP_SMALL
#undef TANH_HIGHEST
#undef EXP_TERMS
#undef square_root

#define FLOAT f64
#define real double
#define integer int64_t
#define ROUND_TO_INTEGER 6755399441055744.0 /* 1.5 * 2^52 */
#define LOG2_HIGH 6.93147180369123816490e-01
#define LOG2_LOW 1.90821492927058770002e-10
#define EXPONENT_BIAS 1023
#define FRACTION_BITS 52
#define EXP_LOWEST -746.0
#define EXP_SMALL -708.0
#define TANH_HIGHEST 40.0
#define EXP_TERMS exp_terms_f64
#define square_root sqrt
#include "kernels.h"
#undef FLOAT
#undef real
#undef integer
#undef ROUND_TO_INTEGER
#undef LOG2_HIGH
#undef LOG2_LOW
#undef EXPONENT_BIAS
#undef FRACTION_BITS
#undef EXP_LOWEST
#undef EXP_SMALL
#undef TANH_HIGHEST
#undef EXP_TERMS
#undef square_root
