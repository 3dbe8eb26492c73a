// CUDA on one thread of a CPU: device.cuh's names, for g++.
//
// Every thread of every block is a fiber, a function with a stack of its own. A
// scheduler runs one after the other, in an order that is chosen, until it waits. What
// is found, whatever the order:
//
//   * memory that two threads use without a barrier between, one of them writing; or
//     two blocks, which are ordered by fences around a counter or by a cluster's barrier;
//   * memory that is read before it was written, and results that are never written;
//   * an index out of range, 16 bytes that are out of line;
//   * a barrier that some threads of a block do not come to, or come to at another line;
//   * a shuffle without one of its lanes, or that meets another one;
//   * a wait that nobody ends.
//
// It does not show how a GPU orders memory, how fast it is, or what its compiler does.
#pragma once
#define EMULATED
#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/mman.h>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define DEVICE inline
#define CLUSTER
using std::exp;
using std::fma;
using std::log1p;
using std::max;
using std::min;
using std::sqrt;
using std::tanh;

struct Dim {
    unsigned x = 1, y = 1, z = 1;
};
static Dim threadIdx, blockIdx, blockDim, gridDim;

// ---------------------------------------------------------------- stacks

#if defined(__x86_64__) && !defined(EMULATE_WITH_UCONTEXT)
// Push the registers that a function has to keep, change stacks, pop the other's.
extern "C" void emulator_switch(void** from, void* to);
asm(".text\n"
    ".hidden emulator_switch\n"
    ".globl emulator_switch\n"
    "emulator_switch:\n"
    "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov %rsi, %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
    "ret\n");

struct Context {
    void* top = nullptr;
    void begin(char* stack, size_t size, void (*entry)()) {
        void** place = reinterpret_cast<void**>(stack + size) - 3;  // aligned as after a call
        *place-- = nullptr;
        *place = reinterpret_cast<void*>(entry);
        place -= 6;
        memset(place, 0, 6 * sizeof *place);
        top = place;
    }
};
static void switch_to(Context& from, Context& to) { emulator_switch(&from.top, to.top); }
#else
#include <ucontext.h>
struct Context {
    ucontext_t saved;
    void begin(char* stack, size_t size, void (*entry)()) {
        getcontext(&saved);
        saved.uc_stack.ss_sp = stack;
        saved.uc_stack.ss_size = size;
        saved.uc_link = nullptr;
        makecontext(&saved, entry, 0);
    }
};
static void switch_to(Context& from, Context& to) { swapcontext(&from.saved, &to.saved); }
#endif

namespace emulator {

// ---------------------------------------------------------------- what there is

typedef long long Time;  // of a block: how many barriers it has passed
constexpr size_t STACK = 64 << 10;
constexpr int NOBODY = -1;       // has used a word yet
constexpr int THE_HOST = -2;     // has written it
constexpr int MANY_THREADS = -2; // of one block have read it since its last barrier

// Who used a word of 4 bytes last.
struct Word {
    int writer_block = NOBODY, writer = NOBODY;
    Time written = 0;
    int reader_block = NOBODY, reader = NOBODY;
    Time read = 0;
};

// Global memory that was handed to a launch.
struct Region {
    char* start;
    long long bytes;
    char name[24];
    bool written, result;
    std::vector<Word> words;
};

enum State { READY, AT_BARRIER, AT_CLUSTER_BARRIER, DONE };
struct Block;
struct Fiber {
    Context context;
    Block* block;
    unsigned thread;
    State state;
    int line;
};
struct Warp {  // the latest two shuffles of its lanes
    uint64_t value[2][32] = {};
    Time number[32] = {};
    unsigned mask[2][32] = {};
    int line[2][32] = {};
};
struct Block {
    unsigned index;
    int alive, at_barrier, at_cluster_barrier;
    Time now;
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<unsigned char> memory;
    std::vector<Word> words;
    // Up to which time of each block its writes can be seen here; `seen` and `acquired`
    // are on their way: by a look at a counter, by the fence after it, by a barrier.
    std::vector<Time> clock, seen, acquired, published;
};
// A counter shows itself as late as it may: each look of a block sees one count more.
struct Counter {
    const void* place;
    std::vector<unsigned> values;           // after each count, from the first value on
    std::vector<std::vector<Time>> clocks;  // what was published until then
    std::vector<size_t> looked;             // how many counts each block has seen
};

static std::vector<Region> regions;
static std::vector<Counter> counters;
static std::vector<Block>* blocks;
static Block* block;
static Fiber* fiber;
static Context scheduler;
static unsigned cluster_size;
static Time progress;
static char message[600];
static bool failed;
static void (*kernel)();

static void leave() { switch_to(fiber->context, scheduler); }

[[noreturn]] static void fail(const char* format, ...) {
    char text[400];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    snprintf(message, sizeof message, "block %u thread %u: %s", blockIdx.x, threadIdx.x, text);
    failed = true;
    leave();
    abort();
}

static void join(std::vector<Time>& clock, const std::vector<Time>& other) {
    for (size_t i = 0; i < clock.size(); i++) clock[i] = max(clock[i], other[i]);
}

// ---------------------------------------------------------------- memory

// Is a write of another thread over and to be seen by this one?
static bool is_ordered(const Word& word) {
    if (word.writer_block == int(block->index))
        return word.writer == int(threadIdx.x) || word.written < block->now;
    return block->clock[word.writer_block] > word.written;
}

static void check_use(Word& word, bool writes, const char* name, long long at) {
    const int here = block->index, me = threadIdx.x;
    const char* use = writes ? "written" : "read";
    if (word.writer_block == NOBODY) {
        if (!writes) fail("%s: byte %lld is read before it is written", name, at);
    } else if (word.writer_block != THE_HOST && !is_ordered(word)) {
        fail("%s: byte %lld is %s, and nothing orders that after the write of block %d thread %d", name,
             at, use, word.writer_block, word.writer);
    }
    const bool read_now = word.reader_block == here && word.read == block->now;
    if (!writes) {
        if (read_now && word.reader != me) word.reader = MANY_THREADS;
        else word.reader_block = here, word.reader = me, word.read = block->now;
        return;
    }
    const bool by_others = word.reader_block >= 0 && word.reader_block != here;
    if ((read_now && word.reader != me) || (by_others && block->clock[word.reader_block] <= word.read))
        fail("%s: byte %lld is written, and nothing orders that after the read of block %d", name, at,
             word.reader_block);
    word.writer_block = here, word.writer = me, word.written = block->now;
}

// A pointer that knows what it may point to.
template <class T, bool IS_SHARED> struct Pointer {
    using Plain = std::remove_const_t<T>;
    T* p = nullptr;
    char* start = nullptr;
    long long bytes = 0;
    Word* words = nullptr;
    const char* name = "shared memory";

    Pointer() {}
    Pointer(T* q) : p(q) {  // an argument of the launch
        if (!q) return;
        for (Region& r : regions)
            if ((char*)q >= r.start && (char*)q < r.start + r.bytes) {
                start = r.start, bytes = r.bytes, words = r.words.data(), name = r.name;
                return;
            }
        fail("an argument points to memory that was not handed over");
    }
    Pointer(T* q, char* start, long long bytes, Word* words) : p(q), start(start), bytes(bytes), words(words) {}
    template <class U, class = std::enable_if_t<std::is_same<const U, T>::value>>
    Pointer(const Pointer<U, IS_SHARED>& o)
        : p(o.p), start(o.start), bytes(o.bytes), words(o.words), name(o.name) {}

    explicit operator bool() const { return p; }
    Pointer operator+(long long n) const {
        Pointer moved = *this;
        moved.p += n;
        return moved;
    }
    Pointer& operator+=(long long n) { return p += n, *this; }

    T* use(long long i, bool writes, int count = 1) const {
        if (!p) fail("a null pointer is %s", writes ? "written" : "read");
        const long long at = (char*)(p + i) - start, size = (long long)sizeof(T) * count;
        if (at < 0 || at + size > bytes)
            fail("%s: byte %lld of %lld is %s", name, at, bytes, writes ? "written" : "read");
        if (count > 1 && at % 16) fail("%s: 16 bytes from byte %lld, out of line", name, at);
        for (long long word = at / 4; word < (at + size + 3) / 4; word++)
            check_use(words[word], writes, name, at);
        return p + i;
    }

    struct Element {
        const Pointer& from;
        long long i;
        operator Plain() const { return *from.use(i, false); }
        Plain operator=(Plain v) const { return *const_cast<Plain*>(from.use(i, true)) = v; }
        Plain operator=(const Element& o) const { return *this = Plain(o); }
        Plain operator+=(Plain v) const { return *this = Plain(*this) + v; }
    };
    Element operator[](long long i) const { return Element{*this, i}; }
};

template <class T> static Pointer<T, true> shared_memory() {
    char* start = (char*)block->memory.data();
    return {(T*)start, start, (long long)block->memory.size(), block->words.data()};
}

// ---------------------------------------------------------------- waiting

static void wait_at_barrier(int line) {
    fiber->state = AT_BARRIER, fiber->line = line, block->at_barrier++;
    leave();
}
static void wait_at_cluster_barrier(int line) {
    fiber->state = AT_CLUSTER_BARRIER, fiber->line = line, block->at_cluster_barrier++;
    leave();
}

template <class T> static T shuffle(unsigned mask, T value, int distance, int line) {
    Warp& warp = block->warps[threadIdx.x / 32];
    const int lane = threadIdx.x % 32;
    const Time number = ++warp.number[lane];
    const int half = number & 1;
    memcpy(&warp.value[half][lane], &value, sizeof value);
    warp.mask[half][lane] = mask, warp.line[half][lane] = line;
    progress++;
    if (!(mask >> lane & 1)) fail("line %d: a shuffle without its own lane in the mask", line);
    const auto is_late = [&](int k) { return mask >> k & 1 && warp.number[k] < number; };
    for (int k = 0; k < 32; k++)
        while (is_late(k)) leave();
    const int other = lane ^ distance;
    if (other > 31 || !(mask >> other & 1)) fail("line %d: a shuffle with lane %d, which its mask leaves out", line, other);
    if (warp.number[other] > number + 1 || warp.line[half][other] != line || warp.mask[half][other] != mask)
        fail("line %d: a shuffle meets that of line %d", line, warp.line[half][other]);
    T out;
    memcpy(&out, &warp.value[half][other], sizeof out);
    return out;
}

static Counter& counter_at(const unsigned* place) {
    for (Counter& c : counters)
        if (c.place == place) return c;
    const unsigned grid = gridDim.x * gridDim.y;
    counters.push_back({place, {*place}, {std::vector<Time>(grid, 0)}, std::vector<size_t>(grid, 0)});
    return counters.back();
}

// A fence publishes what the block wrote before its last barrier, and makes what a
// counter showed before visible from the block's next barrier on.
static void fence() {
    block->published = block->clock;
    block->published[block->index] = block->now;
    join(block->acquired, block->seen);
}
static void count(unsigned* place, unsigned n) {
    Counter& counter = counter_at(place);
    counter.clocks.push_back(counter.clocks.back());
    join(counter.clocks.back(), block->published);
    counter.values.push_back(*place += n);
    progress++;
}
static unsigned look(const unsigned* place) {
    leave();  // others may run while this thread waits
    Counter& counter = counter_at(place);
    size_t& looked = counter.looked[block->index];
    if (looked + 1 < counter.values.size()) looked++, progress++;
    join(block->seen, counter.clocks[looked]);
    return counter.values[looked];
}

// ---------------------------------------------------------------- the scheduler

static void run_fiber() {
    kernel();
    fiber->state = DONE;
    leave();
    abort();
}

static void complain(const Block& b, const char* what, int line) {
    snprintf(message, sizeof message, "block %u: %s line %d", b.index, what, line);
    failed = true;
}

// Do all threads of the block wait in this state, and at one line?
static bool all_wait(Block& b, State state) {
    int line = 0;
    for (Fiber& f : b.fibers) {
        if (f.state != state || (line && f.line != line)) {
            complain(b, "not all threads come to the barrier of", line ? line : f.line);
            return false;
        }
        line = f.line;
    }
    return true;
}

static void open_barrier(Block& b) {
    if (!b.at_barrier || b.at_barrier != b.alive || !all_wait(b, AT_BARRIER)) return;
    for (Fiber& f : b.fibers) f.state = READY;
    b.at_barrier = 0, b.now++, progress++;
    join(b.clock, b.acquired);
}

static void open_cluster_barrier(Block& b) {
    if (!b.at_cluster_barrier || b.at_cluster_barrier != b.alive) return;
    Block* first = &b - b.index % cluster_size;
    for (Block* k = first; k < first + cluster_size; k++)
        if (!k->at_cluster_barrier || k->at_cluster_barrier != k->alive) return;
    std::vector<Time> merged(b.clock.size(), 0);
    for (Block* k = first; k < first + cluster_size; k++) {
        if (!all_wait(*k, AT_CLUSTER_BARRIER)) return;
        k->clock[k->index] = k->now + 1;
        join(merged, k->clock);
        join(merged, k->acquired);
    }
    for (Block* k = first; k < first + cluster_size; k++) {
        for (Fiber& f : k->fibers) f.state = READY;
        k->clock = merged, k->at_cluster_barrier = 0, k->now++;
    }
    progress++;
}

static void complain_of_waiting(std::vector<Block>& all) {
    int n = snprintf(message, sizeof message, "nobody goes on:");
    for (Block& b : all)
        for (Fiber& f : b.fibers)
            if (f.state != DONE && n < 500) {
                n += snprintf(message + n, sizeof message - n, " block %u: %d of %d threads at the barrier of line %d;",
                              b.index, b.at_barrier + b.at_cluster_barrier, b.alive, f.line);
                break;
            }
    failed = true;
}

static uint32_t random_state;
static uint32_t random_number() {  // xorshift
    random_state ^= random_state << 13, random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

enum Order { FORWARDS, BACKWARDS, SHUFFLED };

// Run blocks until all of their threads are done.
static void run_blocks(std::vector<Block>& all, std::vector<Fiber*>& queue, Order order) {
    if (order == BACKWARDS) std::reverse(queue.begin(), queue.end());
    while (!queue.empty() && !failed) {
        const Time before = progress;
        if (order == SHUFFLED)
            for (size_t i = queue.size(); i > 1; i--) std::swap(queue[i - 1], queue[random_number() % i]);
        for (Fiber* f : queue) {
            if (f->state != READY) continue;
            fiber = f, block = f->block;
            threadIdx.x = f->thread, blockIdx.x = block->index % gridDim.x, blockIdx.y = block->index / gridDim.x;
            switch_to(scheduler, f->context);
            if (failed) return;
            if (f->state == DONE) block->alive--, progress++;
            open_barrier(*block);
            open_cluster_barrier(*block);
            if (failed) return;
        }
        const auto is_done = [](Fiber* f) { return f->state == DONE; };
        queue.erase(std::remove_if(queue.begin(), queue.end(), is_done), queue.end());
        if (!queue.empty() && progress == before) complain_of_waiting(all);
    }
}

// All blocks at the same time if they are `together`, else one after the other.
static bool launch(unsigned x, unsigned y, unsigned threads, unsigned bytes, unsigned ranks, bool together,
                   int order, unsigned seed) {
    static char* stacks;
    static size_t stack_count;
    failed = false, message[0] = 0, progress = 0, cluster_size = ranks, random_state = seed * 2654435761u | 1;
    counters.clear();
    blockDim = {threads, 1, 1}, gridDim = {x, y, 1};
    const unsigned grid = x * y, width = together ? grid : ranks;
    if ((size_t)width * threads > stack_count) {
        if (stacks) munmap(stacks, stack_count * STACK);
        stack_count = (size_t)width * threads;
        stacks = (char*)mmap(nullptr, stack_count * STACK, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (stacks == MAP_FAILED) {
            stacks = nullptr, stack_count = 0;
            return complain(Block{}, "no memory for stacks,", __LINE__), true;
        }
    }
    for (unsigned first = 0; first < grid && !failed; first += width) {
        std::vector<Block> some(width);
        std::vector<Fiber*> queue;
        blocks = &some;
        char* stack = stacks;
        for (unsigned i = 0; i < width; i++) {
            Block& b = some[i];
            b.index = first + i, b.alive = threads, b.at_barrier = b.at_cluster_barrier = 0, b.now = 1;
            b.memory.assign(bytes, 0xff), b.words.assign(bytes / 4 + 1, Word{});
            b.clock.assign(grid, 0), b.seen = b.acquired = b.published = b.clock;
            b.warps.resize((threads + 31) / 32), b.fibers.resize(threads);
            for (unsigned t = 0; t < threads; t++, stack += STACK) {
                Fiber& f = b.fibers[t];
                f.block = &b, f.thread = t, f.state = READY, f.line = 0;
                f.context.begin(stack, STACK, run_fiber);
                queue.push_back(&f);
            }
            if (threads % 32)  // lanes that are not there are never late
                for (unsigned lane = threads % 32; lane < 32; lane++) b.warps.back().number[lane] = 1LL << 60;
        }
        run_blocks(some, queue, Order(order));
    }
    for (Region& r : regions)
        for (long long i = 0; r.result && i < r.bytes / 4 && !failed; i++)
            if (r.words[i].writer_block == NOBODY) {
                snprintf(message, sizeof message, "%s: byte %lld is never written", r.name, 4 * i);
                failed = true;
            }
    return failed;
}

// ---------------------------------------------------------------- calling a kernel

template <class A> struct Raw {
    using type = A;
};
template <class T, bool S> struct Raw<Pointer<T, S>> {
    using type = T*;
};
template <class... A, size_t... I> static void call(void (*f)(A...), void** args, std::index_sequence<I...>) {
    f(A(*reinterpret_cast<typename Raw<A>::type*>(args[I]))...);
}
template <class... A> static void call(void (*f)(A...), void** args) {
    call(f, args, std::index_sequence_for<A...>());
}
static void** arguments;

}  // namespace emulator

// ---------------------------------------------------------------- device.cuh's names

template <class T> using Shared = emulator::Pointer<T, true>;
template <class T> using In = emulator::Pointer<const T, false>;
template <class T> using Out = emulator::Pointer<T, false>;
template <class T> using InOut = emulator::Pointer<T, false>;
#define SHARED_MEMORY(name) Shared<REAL> name = emulator::shared_memory<REAL>()
#define SHARED_DOUBLES(name) Shared<double> name = emulator::shared_memory<double>()

template <class P, class T, int N> static inline void load(const P& p, T (&v)[N]) {
    auto* from = p.use(0, false, N);
    for (int i = 0; i < N; i++) v[i] = from[i];
}
template <class P, class T, int N> static inline void store(const P& p, const T (&v)[N]) {
    auto* to = p.use(0, true, N);
    for (int i = 0; i < N; i++) to[i] = v[i];
}
template <class P, class T, int N> static inline void load_from_others(const P& p, T (&v)[N]) { load(p, v); }
template <class P> static inline auto load_from_others(const P& p) { return *p.use(0, false); }

#define __syncthreads() emulator::wait_at_barrier(__LINE__)
#define __shfl_xor_sync(mask, value, distance) emulator::shuffle(mask, value, distance, __LINE__)
#define __threadfence() emulator::fence()
#define atomicAdd(counter, n) emulator::count((counter).p, n)
#define look_at(counter) emulator::look((counter).p)
#define give_up() emulator::fail("line %d: the kernel gives up", __LINE__)

#if MODE == 1
static Shared<REAL> of_rank(const Shared<REAL>& p, int rank) {
    using namespace emulator;
    if (rank < 0 || rank >= int(cluster_size)) fail("rank %d of %u", rank, cluster_size);
    Block& other = *(block - (block - blocks->data()) % cluster_size + rank);
    Shared<REAL> there = p;
    there.start = (char*)other.memory.data(), there.words = other.words.data();
    there.p = (REAL*)(there.start + ((char*)p.p - p.start)), there.name = "another block's shared memory";
    return there;
}
#define wait_for_cluster() emulator::wait_at_cluster_barrier(__LINE__)
#else
static Shared<REAL> of_rank(const Shared<REAL>& p, int) { return p; }
#define wait_for_cluster() ((void)0)
#endif

// The launch of a kernel, for Python. `args` point to the arguments.
#define EMULATE(name)                                                                                     \
    extern "C" int launch_##name(unsigned x, unsigned y, unsigned threads, unsigned bytes, unsigned ranks, \
                                 int together, int order, unsigned seed, void** args) {                   \
        emulator::arguments = args;                                                                       \
        emulator::kernel = [] { emulator::call(name, emulator::arguments); };                             \
        return emulator::launch(x, y, threads, bytes, ranks, together, order, seed);                      \
    }
extern "C" void forget_memory() { emulator::regions.clear(); }
extern "C" void hand_over(void* start, long long bytes, const char* name, int written, int result) {
    emulator::Region r{(char*)start, bytes, {}, bool(written), bool(result), {}};
    snprintf(r.name, sizeof r.name, "%s", name);
    r.words.resize(bytes / 4 + 1);
    if (written)
        for (emulator::Word& word : r.words) word.writer_block = emulator::THE_HOST;
    emulator::regions.push_back(r);
}
extern "C" const char* failure() { return emulator::message; }
