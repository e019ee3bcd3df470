// The register tile of all products, with bias, ReLU or a ReLU mask in its store, and the packing
// of its operands.
//
// A tile of MR rows x NV vectors of C is accumulated over k: one broadcast of A and NV
// fused multiply-adds a row. B is packed into panels [k][NV vectors] and A into tiles [k][rows];
// where too little of C would use a packed operand again, it is read in place. Each element of C is
// one chain of multiply-adds in the order of k, whatever the tile, the blocking or the number of
// threads, so none of them changes its bits.
#pragma once

#include "../kernels.h"
#include "transpose.h"

namespace fastnn {
namespace {

// 14 x 2 fills AVX-512's 32 registers (28 sums, 2 of B, 1 of A) and keeps both FMA ports busy
// from 8 sums on; 6 x 2 does the same in 16 registers.
constexpr int kTileRows = FASTNN_VECTOR_BYTES == 64 ? 14 : 6;
constexpr int kPanelVectors = 2;
// A tile's rows or fewer would use packed B but once, so it is read in place: 4 vectors wide where
// the rows are too few to have enough sums otherwise.
constexpr int kWideRows = FASTNN_VECTOR_BYTES == 64 ? 6 : 3;
constexpr int kWideVectors = 4;

// A packed block of B, 256 x 512 floats, takes half a megabyte of the L2 cache; a tile of A, 14 x
// 256, 14 KiB of the L1 cache, past which the panels stream.
constexpr int64_t kBlockK = 256;
constexpr int64_t kBlockN = 512;
constexpr int kPrefetch = 16;  // steps of k, of a panel: 3 % on 256 x 512 x 512
constexpr int kLineVectors = 64 / FASTNN_VECTOR_BYTES;

// Steps of k that a tile's loop makes at once. One of AVX-512's has 28 multiply-adds: what the loop
// itself takes is little beside them, and its code would be half as much again.
#if FASTNN_VECTOR_BYTES == 64
#define FASTNN_UNROLL_STEPS _Pragma("GCC unroll 1")
#else
#define FASTNN_UNROLL_STEPS _Pragma("GCC unroll 4")
#endif

template <class T>
struct Tile {
    const T *a, *b;           // first row of A, first row of the panel
    int64_t a_row, a_k, b_k;  // strides
    int64_t k;                // steps of this block
    int64_t i, j, cols;       // place in C; columns of C that exist from j on
    bool first, last;         // of the blocks of k
};

// Bias, ReLU and mask over the finished sums of C from row i and column j on; `cols` columns exist.
// Which of them there are is asked once and not for each vector: a tile of 64 steps of k with bias
// and ReLU takes 5 % less on AVX2.
template <int MR, int NV, class T>
[[gnu::always_inline]] inline void epilogue(const Gemm<T>& g, Vec<T> (&sum)[MR][NV], int64_t i,
                                            int64_t j, int64_t cols) {
    constexpr int W = Simd<T>::width;
    if (g.bias) {
        FASTNN_UNROLL for (int v = 0; v < NV; ++v) {
            const Vec<T> bias = load_n(g.bias + j + v * W, cols - v * W);
            FASTNN_UNROLL for (int r = 0; r < MR; ++r) sum[r][v] += bias;
        }
    }
    if (g.relu) {
        FASTNN_UNROLL for (int r = 0; r < MR; ++r) FASTNN_UNROLL for (int v = 0; v < NV; ++v)
            sum[r][v] = relu<T>(sum[r][v]);
    }
    if (g.mask) {
        const T* const mask = g.mask + i * g.c_row + j;
        FASTNN_UNROLL for (int r = 0; r < MR; ++r) FASTNN_UNROLL for (int v = 0; v < NV; ++v)
            sum[r][v] = relu_mask<T>(sum[r][v], load_n(mask + r * g.c_row + v * W, cols - v * W));
    }
}

// The same over one vector.
template <class T>
inline Vec<T> epilogue(const Gemm<T>& g, Vec<T> v, int64_t i, int64_t j, int64_t cols) {
    Vec<T> sum[1][1] = {{v}};
    epilogue(g, sum, i, j, cols);
    return sum[0][0];
}

// Columns of C are contiguous in all layers; only those of a swapped product (see gemm) are not.
template <class T>
inline Vec<T> load_c(const Gemm<T>& g, int64_t i, int64_t j, int64_t cols) {
    const T* c = g.c + i * g.c_row + j * g.c_col;
    if (g.c_col == 1) return load_n(c, cols);
    Vec<T> v{};
    for (int64_t l = 0; l < cols && l < Simd<T>::width; ++l) v[l] = c[l * g.c_col];
    return v;
}

template <class T>
inline void store_c(const Gemm<T>& g, Vec<T> v, int64_t i, int64_t j, int64_t cols) {
    T* c = g.c + i * g.c_row + j * g.c_col;
    if (g.c_col == 1) return store_n(c, v, cols);
    for (int64_t l = 0; l < cols && l < Simd<T>::width; ++l) c[l * g.c_col] = v[l];
}

// The sums of a tile at an edge of C, or where its columns are strided, in loops and not inlined:
// unrolled into each of the 124 tiles of AVX-512 they were 600 of its 1400 KB of code, and half of
// the time to compile it.
template <class T>
[[gnu::noinline]] void load_edge(const Gemm<T>& g, const Tile<T>& t, Vec<T>* sums, int rows,
                                 int vectors) {
    constexpr int W = Simd<T>::width;
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vectors; ++v) *sums++ = load_c(g, t.i + i, t.j + v * W, t.cols - v * W);
}

template <class T>
[[gnu::noinline]] void store_edge(const Gemm<T>& g, const Tile<T>& t, const Vec<T>* sums, int rows,
                                  int vectors) {
    constexpr int W = Simd<T>::width;
    for (int i = 0; i < rows; ++i) {
        for (int v = 0; v < vectors; ++v, ++sums) {
            const int64_t j = t.j + v * W, cols = t.cols - v * W;
            store_c(g, t.last ? epilogue(g, *sums, t.i + i, j, cols) : *sums, t.i + i, j, cols);
        }
    }
}

// A pointer that, for all the compiler knows, may be another: what lies there is read again through
// it.
template <class T>
inline const T* second_name(const T* p) {
    asm("" : "+r"(p));
    return p;
}

// The tile of columns j, which meets the rows from b on, and asks for what of B lies `ahead`.
//
// Columns: those of A lie together, a_row = 1, as in a packed tile, [k][rows]; else its rows do,
// a_k = 1. What is known when compiled need not be computed: 22 instructions a step of k, unrolled,
// instead of 29 on the 6 x 2 vectors of AVX2 take 8 to 13 % less time where another thread of the
// core, or of the machine, has its share of them. And 14 run-time offsets would not fit the integer
// registers: reloading them costs 3 %.
//
// AVX-512 multiplies by a value in memory without an instruction to fetch it. Every other row of a
// packed tile does so, once for each of its two vectors: 45 instead of 51 instructions a step take
// 3 to 7 % less where another thread has its share of the core, and as long where none has. With
// all rows, loads would be more than the core can make.
template <int MR, int NV, bool Columns, class T>
[[gnu::always_inline]] inline void compute_tile(const Gemm<T>& g, const Tile<T>& t, int64_t j,
                                                const T* b, int64_t ahead) {
    constexpr int W = Simd<T>::width;
    const int64_t a_row = Columns ? 1 : t.a_row, a_k = Columns ? t.a_k : 1;
    const bool whole = g.c_col == 1 && t.cols >= NV * W;
    T* c = g.c + t.i * g.c_row + j * g.c_col;
    Vec<T> sum[MR][NV], edge[MR][NV];  // sums are never in memory, so a call cannot have them
    FASTNN_UNROLL for (int i = 0; i < MR; ++i) FASTNN_UNROLL for (int v = 0; v < NV; ++v)
        sum[i][v] = Vec<T>{};
    if (!t.first) {
        if (!whole) load_edge(g, t, &edge[0][0], MR, NV);
        FASTNN_UNROLL for (int i = 0; i < MR; ++i) FASTNN_UNROLL for (int v = 0; v < NV; ++v)
            sum[i][v] = whole ? load(c + i * g.c_row + v * W) : edge[i][v];
    }
    constexpr bool kFromMemory = Columns && NV == 2 && FASTNN_VECTOR_BYTES == 64;
    const T *a = t.a, *again = second_name(a);
    FASTNN_UNROLL_STEPS for (int64_t p = 0; p < t.k; ++p, a += a_k, again += a_k, b += t.b_k) {
        FASTNN_UNROLL for (int v = 0; v < NV; v += kLineVectors)
            __builtin_prefetch(b + ahead + v * W);
        Vec<T> row[NV];
        FASTNN_UNROLL for (int v = 0; v < NV; ++v) row[v] = load(b + v * W);
        FASTNN_UNROLL for (int i = 0; i < MR; ++i) {
            const Vec<T> x = broadcast(a[i * a_row]);
            const bool from_memory = kFromMemory && i % 2 == 1;
            FASTNN_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] +=
                (v > 0 && from_memory ? broadcast(again[i * a_row]) : x) * row[v];
        }
    }
    const bool finish = t.last && (g.bias || g.relu || g.mask);
    if (whole) {
        if (finish) epilogue(g, sum, t.i, j, NV * W);
        FASTNN_UNROLL for (int i = 0; i < MR; ++i) FASTNN_UNROLL for (int v = 0; v < NV; ++v)
            store(c + i * g.c_row + v * W, sum[i][v]);
    } else if (NV == 1 && g.c_col == 1 && !finish) {
        FASTNN_UNROLL for (int i = 0; i < MR; ++i) store_part(c + i * g.c_row, sum[i][0], t.cols);
    } else {
        FASTNN_UNROLL for (int i = 0; i < MR; ++i) FASTNN_UNROLL for (int v = 0; v < NV; ++v)
            edge[i][v] = sum[i][v];
        store_edge(g, t, &edge[0][0], MR, NV);
    }
}

template <class T, int MR, int NV, bool Columns>
void tile(const Gemm<T>& g, const Tile<T>& t) {
    compute_tile<MR, NV, Columns>(g, t, t.j, t.b, kPrefetch * t.b_k);
}

template <class T>
using TileFn = void (*)(const Gemm<T>&, const Tile<T>&);

template <class T, int NV, bool Columns, int... Rows>
inline TileFn<T> tile_fn(int64_t rows, std::integer_sequence<int, Rows...>) {
    static constexpr TileFn<T> table[] = {&tile<T, Rows + 1, NV, Columns>...};
    return table[rows - 1];
}

// Computes a tile of so many rows and NV vectors; a_row or a_k is 1.
template <int NV, class T>
inline void run_tile(const Gemm<T>& g, const Tile<T>& t, int64_t rows) {
    constexpr int most = NV == kWideVectors ? kWideRows : kTileRows;
    constexpr auto counts = std::make_integer_sequence<int, most>{};
    (t.a_k == 1 ? tile_fn<T, NV, false>(rows, counts) : tile_fn<T, NV, true>(rows, counts))(g, t);
}

// Whether a tile can read A in place: its rows or its columns lie together.
template <class T>
inline bool lies_together(const Gemm<T>& g) {
    return g.a_row == 1 || g.a_col == 1;
}

// `rows` cut into tiles as equal as can be: 100 is 4 x 13 + 4 x 12, not 7 x 14 + 2.
struct RowTiles {
    int64_t rows, tiles;
    explicit RowTiles(int64_t m, int64_t most) : rows(m), tiles((m + most - 1) / most) {}
    int64_t begin(int64_t t) const { return rows * t / tiles; }
};

// Panels [k][NV * W] of columns j0..j1 of rows k0..k1 of B, zero beyond column g.n. B is read as it
// lies in memory, one stretch of a row after another, and ahead where it comes in blocks: weights
// come from the L3 cache, whose latency would otherwise show.
template <class T>
void pack_b(T* to, const Gemm<T>& g, int64_t j0, int64_t j1, int64_t k0, int64_t k1) {
    constexpr int W = Simd<T>::width, panel = kPanelVectors * W;
    const int64_t depth = k1 - k0;
    const T* const from = g.b + k0 * g.b_row;
    if (g.b_col == 1) {
        const int64_t whole = j0 + (smaller(j1, g.n) - j0) / panel * panel;
        const int64_t width = j1 - whole > W ? panel : W;  // of the last, if there is one more
        for (int64_t p = 0; p < depth; ++p) {
            const T* const row = from + p * g.b_row;
            for (int64_t j = j0; j < whole; j += panel)
                FASTNN_UNROLL for (int v = 0; v < kPanelVectors; ++v)
                    store(to + (j - j0) * depth + p * panel + v * W, load(row + j + v * W));
            T* const last = to + (whole - j0) * depth + p * width;
            for (int64_t j = whole; j < j1; j += W)
                store(last + (j - whole), j < g.n ? load_n(row + j, g.n - j) : Vec<T>{});
        }
        return;
    }
    for (int64_t j = j0; j < j1; j += W) {
        const int64_t first = j0 + (j - j0) / panel * panel;
        const int64_t width = j1 - first > W ? panel : W;
        T* const place = to + (first - j0) * depth + (j - first);
        for (int64_t p = 0; p < depth; p += W) {
            const T* const block = from + j * g.b_col + p * g.b_row;
            for (int i = W; i < 2 * W; ++i) __builtin_prefetch(block + i * g.b_col);
            transpose(place + p * width, width, W, block, g.b_col, g.b_row, g.n - j, depth - p);
        }
    }
}

// A tile [k][rows] of A. Where rows < W whole vectors are stored all the same (a partial store
// costs 4 of them): the excess lies in the place of the next k, which is written after it. So `to`
// has room for kPackSlack elements more than the tile has.
constexpr int64_t kPackSlack = 64;

// Columns, a whole vector or two of them: to test each for the end of its row took 10 % of the
// update of 784 x 100 weights.
template <int Vectors, class T>
inline void pack_vectors(T* to, const T* from, int64_t step, int64_t rows, int64_t depth) {
    constexpr int W = Simd<T>::width;
    _Pragma("GCC unroll 4") for (int64_t p = 0; p < depth; ++p)
        FASTNN_UNROLL for (int v = 0; v < Vectors; ++v)
            store(to + p * rows + v * W, load(from + p * step + v * W));
}

template <class T>
void pack_a(T* to, const Gemm<T>& g, int64_t i, int64_t rows, int64_t k0, int64_t k1) {
    constexpr int W = Simd<T>::width;
    const int64_t depth = k1 - k0, left = g.m - i;  // rows of A from i on, the tile's and more
    const T* from = g.a + i * g.a_row + k0 * g.a_col;
    if (g.a_row == 1) {
        if (rows <= W && left >= W) return pack_vectors<1>(to, from, g.a_col, rows, depth);
        if (rows > W && rows <= 2 * W && left >= 2 * W)
            return pack_vectors<2>(to, from, g.a_col, rows, depth);
        for (int64_t p = 0; p < depth; ++p)
            for (int64_t v = 0; v < rows; v += W)
                store(to + p * rows + v, load_n(from + p * g.a_col + v, left - v));
        return;
    }
    for (int64_t p = 0; p < depth; p += W)
        for (int64_t v = 0; v < rows; v += W)
            transpose(to + p * rows + v, rows, v ? smaller(W, rows - v) : W,
                      from + p * g.a_col + v * g.a_row, g.a_row, g.a_col, left - v, depth - p);
}

// Too few panels for a packed tile of A to be used again.
template <class T>
inline bool reads_a_in_place(int64_t columns) {
    return columns <= 2 * kPanelVectors * Simd<T>::width;
}

}  // namespace
}  // namespace fastnn
