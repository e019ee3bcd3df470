// C (m, n) = A (m, k) B (k, n), with bias, ReLU or a ReLU mask in the store of the tile.
//
// A register tile of MR rows x NV vectors of C is accumulated over k: one broadcast of A and NV
// fused multiply-adds a row. B is packed into panels [k][NV vectors] and A into tiles [k][rows];
// where too little of C would use a packed operand again, it is read in place. Each element of C is
// one chain of multiply-adds in the order of k, whatever the tile, the blocking or the number of
// threads, so none of them changes its bits.
#pragma once

#include "../kernels.h"
#include "../parallel.h"
#include "../workspace.h"
#include "dot.h"
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

// The tile of columns j, which meets the rows from b on, and asks for what of B lies `ahead`.
//
// Columns: those of A lie together, a_row = 1, as in a packed tile, [k][rows]; else its rows do,
// a_k = 1. What is known when compiled need not be computed: 22 instructions a step of k, unrolled,
// instead of 29 on the 6 x 2 vectors of AVX2 take 8 to 13 % less time where another thread of the
// core, or of the machine, has its share of them. And 14 run-time offsets would not fit the integer
// registers: reloading them costs 3 %.
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
    const T* a = t.a;
    FASTNN_UNROLL_STEPS for (int64_t p = 0; p < t.k; ++p, a += a_k, b += t.b_k) {
        FASTNN_UNROLL for (int v = 0; v < NV; v += kLineVectors)
            __builtin_prefetch(b + ahead + v * W);
        Vec<T> row[NV];
        FASTNN_UNROLL for (int v = 0; v < NV; ++v) row[v] = load(b + v * W);
        FASTNN_UNROLL for (int i = 0; i < MR; ++i) {
            const Vec<T> x = broadcast(a[i * a_row]);
            FASTNN_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] += x * row[v];
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

// The part of C a thread computes: rows [i0, i1), columns [j0, j1). A block of B is packed into
// the L2 cache; each tile of A is packed into the L1 cache and meets all panels of the block.
template <class T>
void gemm_block(const Gemm<T>& g, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
    constexpr int W = Simd<T>::width, panel = kPanelVectors * W;
    const bool in_place = lies_together(g) && reads_a_in_place<T>(j1 - j0);
    const RowTiles tiles(i1 - i0, kTileRows);
    const int64_t blocks = g.k > kBlockK ? (g.k + kBlockK - 1) / kBlockK : 1;
    const int64_t depth = (g.k + blocks - 1) / blocks;
    const int64_t b_size = depth * smaller(kBlockN, j1 - j0 + panel);
    T* const bp =
        static_cast<T*>(workspace(size_t(b_size + kTileRows * depth + kPackSlack) * sizeof(T)));
    T* const ap = bp + b_size;
    for (int64_t jb = j0; jb < j1; jb += kBlockN) {
        const int64_t je = smaller(jb + kBlockN, j1);
        for (int64_t block = 0; block < blocks; ++block) {
            const int64_t k0 = g.k * block / blocks, k1 = g.k * (block + 1) / blocks;
            pack_b(bp, g, jb, je, k0, k1);
            for (int64_t t = 0; t < tiles.tiles; ++t) {
                const int64_t i = i0 + tiles.begin(t), rows = i0 + tiles.begin(t + 1) - i;
                if (!in_place) pack_a(ap, g, i, rows, k0, k1);
                Tile<T> spec{in_place ? g.a + i * g.a_row + k0 * g.a_col : ap,
                             bp,
                             in_place ? g.a_row : 1,
                             in_place ? g.a_col : rows,
                             panel,
                             k1 - k0,
                             i,
                             jb,
                             0,
                             block == 0,
                             block + 1 == blocks};
                for (; je - spec.j > W; spec.j += panel, spec.b += panel * spec.k) {
                    spec.cols = smaller(g.n, je) - spec.j;
                    run_tile<kPanelVectors>(g, spec, rows);
                }
                if (spec.j >= je) continue;
                spec.cols = smaller(g.n, je) - spec.j;
                spec.b_k = W;
                run_tile<1>(g, spec, rows);
            }
        }
    }
}

constexpr int strip_vectors(int64_t rows) {
    return rows <= kWideRows ? kWideVectors : kPanelVectors;
}
constexpr int64_t kStreamAhead = 64;  // elements of a row

// `count` whole tiles of MR rows side by side; B lies as it is.
template <class T, int MR>
void strip(const Gemm<T>& g, const Tile<T>& t, int64_t count) {
    constexpr int NV = strip_vectors(MR);
    constexpr int64_t step = NV * Simd<T>::width;
    for (int64_t at = 0; at < count * step; at += step)
        compute_tile<MR, NV, false>(g, t, t.j + at, t.b + at, kStreamAhead);
}

template <class T, int... Rows>
inline auto strip_fn(int64_t rows, std::integer_sequence<int, Rows...>) {
    static constexpr void (*table[])(const Gemm<T>&, const Tile<T>&,
                                     int64_t) = {&strip<T, Rows + 1>...};
    return table[rows - 1];
}

// Columns [j0, j1) of a few rows against a row-major B: nothing is packed. B streams by, a few rows
// at a time and along them: whole columns would touch a page each step. An incomplete vector at the
// end is computed as the last whole one, some of it a second time, where that is the thread's own;
// only columns fewer than a vector are packed.
//
// Of long rows, so few that all find room in one set of the L1 cache, as they must where they lie
// 4 KiB apart. A row times 2048 x 2048 floats of the L3 cache took 2.9 ms on AVX2 with 32 rows at a
// time, a call a tile, and takes 0.6 to 0.8. From 3 rows of C on, its way through memory counts
// for more.
constexpr int64_t stream_rows(int64_t m, int64_t n) { return n < 512 ? 32 : m <= 2 ? 8 : 16; }

template <class T>
void gemm_few_rows(const Gemm<T>& g, int64_t j0, int64_t j1) {
    constexpr int W = Simd<T>::width;
    const int64_t end = smaller(g.n, j1), whole = j0 + (end - j0) / W * W;
    const int64_t wide = strip_vectors(g.m) * W;
    const auto tile_at = [&](int64_t k, int64_t depth, int64_t j, const T* b, int64_t b_k,
                             int64_t cols) {
        return Tile<T>{g.a + k * g.a_col, b, g.a_row, g.a_col, b_k, depth, 0, j, cols, k == 0,
                       k + depth == g.k};
    };
    const int64_t rows = stream_rows(g.m, g.n);
    for (int64_t k = 0; k < g.k && whole > j0; k += rows) {
        const int64_t depth = smaller(rows, g.k - k);
        int64_t j = j0;
        if (g.a_col == 1 && g.c_col == 1) {
            const auto counts = std::make_integer_sequence<int, kTileRows>{};
            const auto spec = tile_at(k, depth, j, g.b + k * g.b_row + j, g.b_row, wide);
            strip_fn<T>(g.m, counts)(g, spec, (whole - j) / wide);
            j += (whole - j) / wide * wide;
        }
        const auto run_while_whole = [&](auto vectors) {
            constexpr int NV = vectors.value;
            for (; j + NV * W <= whole; j += NV * W)
                run_tile<NV>(g, tile_at(k, depth, j, g.b + k * g.b_row + j, g.b_row, NV * W), g.m);
        };
        if (g.m <= kWideRows) run_while_whole(std::integral_constant<int, kWideVectors>{});
        run_while_whole(std::integral_constant<int, 2>{});
        run_while_whole(std::integral_constant<int, 1>{});
    }
    if (whole == end) return;
    if (end - W >= j0)
        return run_tile<1>(g, tile_at(0, g.k, end - W, g.b + end - W, g.b_row, W), g.m);
    T* const packed = static_cast<T*>(workspace(size_t(g.k * W) * sizeof(T)));
    pack_b(packed, g, whole, whole + W, 0, g.k);
    run_tile<1>(g, tile_at(0, g.k, whole, packed, W, end - whole), g.m);
}

// sum += A B over `Depth` steps of k from p on, for a vector of columns of B, which are turned in
// registers as they are read.
template <int Depth, int MR, class T>
[[gnu::always_inline]] inline void add_turned(const Gemm<T>& g, const T* b, int64_t p,
                                              Vec<T> (&sum)[MR]) {
    constexpr int Q = kLane<T>;
    FASTNN_UNROLL for (int step = 0; step < Depth; step += Q) {
        Vec<T> rows[Q];
        load_transposed(rows, b + p + step, g.b_col);
        FASTNN_UNROLL for (int q = 0; q < Q; ++q) FASTNN_UNROLL for (int i = 0; i < MR; ++i)
            sum[i] += broadcast(g.a[i * g.a_row + p + step + q]) * rows[q];
    }
}

// NV whole vectors of columns, from j on, in MR rows against a column-major B. Its columns go by, a
// cache line of each at a time. AVX2 takes two vectors, so that the sums of one are added to while
// those of the other wait for their last addition; with four the columns are more than the caches
// follow by themselves, and a row takes 1.2 times as long. All are asked for ahead, the next tile's
// at the end of these. A vector of AVX-512 has 16 columns: where they lie 2 or 4 KiB apart, two
// vectors of them and what is asked for ahead do not fit the few sets of the L1 cache that they
// share. With one, and nothing asked for, 1 x 512 x 512 takes 21 us instead of 35, 1 x 784 x 512 35
// instead of 31.
constexpr int kTurnedVectors = FASTNN_VECTOR_BYTES == 64 ? 1 : 2;
constexpr int64_t kTurnedAhead = FASTNN_VECTOR_BYTES == 64 ? 0 : 4;  // cache lines

template <int NV, class T, int MR>
void turned_tile(const Gemm<T>& g, int64_t j) {
    constexpr int W = Simd<T>::width, line = 64 / int(sizeof(T));
    const T* const first = g.b + j * g.b_col;
    Vec<T> sums[NV][MR] = {};
    int64_t p = 0;
    for (; p + line <= g.k; p += line) {
        const int64_t at = p + kTurnedAhead * line;
        const T* ahead = first + (at < g.k ? at : at - g.k + NV * W * g.b_col);
        const T* b = first;
        // Not unrolled: the integer registers hold where one vector's columns are, not where two's.
        _Pragma("GCC unroll 1") for (int v = 0; v < NV; ++v, b += W * g.b_col) {
            if (kTurnedAhead > 0)
                FASTNN_UNROLL for (int i = 0; i < W; ++i, ahead += g.b_col)
                    __builtin_prefetch(ahead);
            add_turned<line>(g, b, p, sums[v]);
        }
    }
    const T* b = first;
    for (int v = 0; v < NV; ++v, b += W * g.b_col) {
        int64_t q = p;
        for (; q + kLane<T> <= g.k; q += kLane<T>) add_turned<kLane<T>>(g, b, q, sums[v]);
        for (; q < g.k; ++q) {
            Vec<T> row;
            for (int l = 0; l < W; ++l) row[l] = b[l * g.b_col + q];
            FASTNN_UNROLL for (int i = 0; i < MR; ++i) sums[v][i] +=
                broadcast(g.a[i * g.a_row + q]) * row;
        }
        const int64_t column = j + v * W;
        FASTNN_UNROLL for (int i = 0; i < MR; ++i)
            store_c(g, epilogue(g, sums[v][i], i, column, W), i, column, W);
    }
}

template <int NV, class T, int... Rows>
inline void run_turned_tile(const Gemm<T>& g, int64_t j, std::integer_sequence<int, Rows...>) {
    static constexpr void (*table[])(const Gemm<T>&, int64_t) = {&turned_tile<NV, T, Rows + 1>...};
    table[g.m - 1](g, j);
}

// Columns [j0, j1), a vector or more of them. An incomplete vector at the end is computed as the
// last whole one, some of it a second time.
template <class T>
void gemm_fewest_rows_turned(const Gemm<T>& g, int64_t j0, int64_t j1) {
    constexpr int W = Simd<T>::width;
    constexpr auto counts = std::make_integer_sequence<int, kWideRows>{};
    int64_t j = j0;
    for (; j + kTurnedVectors * W <= j1; j += kTurnedVectors * W)
        run_turned_tile<kTurnedVectors>(g, j, counts);
    for (; j + W <= j1; j += W) run_turned_tile<1>(g, j, counts);
    if (j < j1) run_turned_tile<1>(g, j1 - W, counts);
}

// Columns [j0, j1) of a few rows against a column-major B, such as a layer's weights: nothing is
// packed where the rows are so few that turning B in registers costs less than its way through
// memory: 1 row through 784-512-512-10, AVX2, took 123-231 us and takes 74-109, 3 rows 195-264 and
// 118-166, and 6 rows as long as the other way. Else B is transposed a few panels at a time into
// the L1 cache, where the tile finds them.
constexpr int64_t kTurnedDepth = 64;

template <class T>
void gemm_few_rows_turned(const Gemm<T>& g, int64_t j0, int64_t j1) {
    constexpr int W = Simd<T>::width, most = kPanelVectors * W;
    const int64_t end = smaller(g.n, j1);
    if (g.m <= kWideRows && g.a_col == 1 && end - j0 >= W)
        return gemm_fewest_rows_turned(g, j0, end);
    T panel[kTurnedDepth * most];
    for (int64_t j = j0, width = most; j < end; j += width) {
        if (j + W >= end) width = W;  // only the last vector of a tile may be incomplete
        for (int64_t k = 0; k < g.k; k += kTurnedDepth) {
            const int64_t depth = smaller(kTurnedDepth, g.k - k);
            for (int64_t v = 0; v < width; v += W)
                for (int64_t p = 0; p < depth; p += W)
                    transpose(panel + p * width + v, width, W, g.b + (j + v) * g.b_col + k + p,
                              g.b_col, 1, end - j - v, depth - p);
            const Tile<T> spec{
                g.a + k * g.a_col, panel,  g.a_row,         g.a_col, width, depth, 0, j,
                end - j,           k == 0, k + depth == g.k};
            width == most ? run_tile<kPanelVectors>(g, spec, g.m) : run_tile<1>(g, spec, g.m);
        }
    }
}

// How a team shares C: parts of rows x parts of columns, chosen for the least work of the
// busiest thread, packing included. In vector operations: a packed vector of B costs about 1
// where its columns lie together and 8 where it is transposed, one of A about 6.
struct Grid {
    int rows, cols;
};

template <class T>
inline Grid choose_grid(const Gemm<T>& g, int threads) {
    constexpr int W = Simd<T>::width;
    const int64_t vectors = (g.n + W - 1) / W;
    const int64_t b_cost = g.b_col == 1 ? 1 : 8, a_cost = 6;
    Grid best{1, threads};
    int64_t least = INT64_MAX;
    for (int rows = 1; rows <= threads; ++rows) {
        if (threads % rows) continue;
        const int64_t m = (g.m + rows - 1) / rows, cols = threads / rows;
        const int64_t n = (vectors + cols - 1) / cols;
        const int64_t cost = m * n + n * b_cost + m * a_cost / W;
        if (cost < least) least = cost, best = {rows, int(cols)};
    }
    return best;
}

template <class T>
void gemm(const Gemm<T>& given) {
    constexpr int W = Simd<T>::width;
    Gemm<T> g = given;
    if (g.m == 0 || g.n == 0) return;
    if (is_dot(g)) return dot_products(g);
    const bool plain = !g.bias && !g.relu && !g.mask;
    if (plain && g.a_row == 1 && g.n < W && g.m > g.n) {
        // such as dW of a layer with few inputs: C^T = B^T A^T has its long side along the vectors
        g = {g.n, g.m, g.k, g.b, g.b_col, g.b_row, g.a, g.a_col, g.a_row, g.c, g.c_col, g.c_row};
    }
    const bool few_rows =
        g.m <= kTileRows && (g.b_col == 1 || g.b_row == 1) && g.k > 0 && lies_together(g);
    parallel(team_size(g.m * g.n * g.k), [&](int thread, int threads) {
        const Grid grid = few_rows ? Grid{1, threads} : choose_grid(g, threads);
        const Range rows = share(g.m, 1, thread / grid.cols, grid.rows);
        const Range cols = share(g.n, W, thread % grid.cols, grid.cols);
        if (rows.begin == rows.end || cols.begin == cols.end) return;
        if (few_rows && g.b_col != 1) return gemm_few_rows_turned(g, cols.begin, cols.end);
        if (few_rows) return gemm_few_rows(g, cols.begin, cols.end);
        gemm_block(g, rows.begin, rows.end, cols.begin, cols.end);
    });
}

}  // namespace
}  // namespace fastnn
