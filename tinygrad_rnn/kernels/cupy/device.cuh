// What the kernels need of the hardware, in a few names.
//
// Compiled with -DREAL=float|double and -DMODE=0|1|2 (scan.cu says what a mode is).
// The emulator of tests/kernels/cupy has a file with the same names in this one's place,
// so that all others run unchanged on a CPU.
#ifndef EMULATED

#define DEVICE __device__ __forceinline__

// Pointers of a kernel's arguments, by what the kernel does with the memory. The
// emulator checks that an Out is written before it is read, and written as a whole.
template <class T> using In = const T*;
template <class T> using Out = T*;
template <class T> using InOut = T*;
template <class T> using Shared = T*;

// All shared memory of the block, whose size the launch says.
#define SHARED_MEMORY_OF(type, name)                                   \
    extern __shared__ __align__(16) unsigned char shared_memory[];     \
    Shared<type> name = reinterpret_cast<type*>(shared_memory)
#define SHARED_MEMORY(name) SHARED_MEMORY_OF(REAL, name)
#define SHARED_DOUBLES(name) SHARED_MEMORY_OF(double, name)

// ---- 16 bytes at once: 4 floats or 2 doubles

DEVICE void load(const float* p, float (&v)[4]) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    v[0] = x.x, v[1] = x.y, v[2] = x.z, v[3] = x.w;
}
DEVICE void load(const double* p, double (&v)[2]) {
    const double2 x = *reinterpret_cast<const double2*>(p);
    v[0] = x.x, v[1] = x.y;
}
DEVICE void store(float* p, const float (&v)[4]) {
    *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
}
DEVICE void store(double* p, const double (&v)[2]) {
    *reinterpret_cast<double2*>(p) = make_double2(v[0], v[1]);
}

// ---- what other blocks wrote: read from L2, as an L1 cache may hold what was before

DEVICE void load_from_others(const float* p, float (&v)[4]) {
    const float4 x = __ldcg(reinterpret_cast<const float4*>(p));
    v[0] = x.x, v[1] = x.y, v[2] = x.z, v[3] = x.w;
}
DEVICE void load_from_others(const double* p, double (&v)[2]) {
    const double2 x = __ldcg(reinterpret_cast<const double2*>(p));
    v[0] = x.x, v[1] = x.y;
}
DEVICE REAL load_from_others(const REAL* p) { return __ldcg(p); }

// A counter that other blocks change. It orders nothing by itself: see wait_for_group.
DEVICE unsigned look_at(const unsigned* counter) {
    unsigned n;
    asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(n) : "l"(counter) : "memory");
    return n;
}

// Ends the kernel with an error that the host sees, rather than wait for ever.
DEVICE void give_up() { __trap(); }

// ---- clusters: blocks that reach into each other's shared memory (sm_90)

#if MODE == 1
#define CLUSTER __cluster_dims__(RANKS, 1, 1)
// The place in the shared memory of another block that p is in this one's.
DEVICE REAL* of_rank(REAL* p, int rank) {
    REAL* there;
    asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(p), "r"(rank));
    return there;
}
// A barrier of all threads of the cluster. What they wrote before, all see after.
DEVICE void wait_for_cluster() {
    asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
#else
#define CLUSTER
DEVICE REAL* of_rank(REAL* p, int) { return p; }
DEVICE void wait_for_cluster() {}
#endif
#endif  // EMULATED
