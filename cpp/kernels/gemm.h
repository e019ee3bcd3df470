// C (m, n) = A (m, k) B (k, n) for operands as they lie: how they are cut, packed and shared.
#pragma once

#include "../parallel.h"
#include "../workspace.h"
#include "dot.h"
#include "panels.h"

namespace fastnn {
namespace {

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
// for more. Of columns that one tile has room for, all rows: its sums stay in registers.
template <class T>
inline int64_t stream_rows(const Gemm<T>& g, int64_t cols) {
    if (cols <= strip_vectors(g.m) * Simd<T>::width) return g.k;
    return g.n < 512 ? 32 : g.m <= 2 ? 8 : 16;
}

// Between two of these stretches a thread of a team keeps its sums in memory of its own: a cache
// line of C that two threads have a part of went to and fro each time. 2 x 512 x 512 took two
// threads as long as one.
template <class T>
void gemm_few_rows(const Gemm<T>& g, int64_t j0, int64_t j1, bool alone) {
    constexpr int W = Simd<T>::width;
    const int64_t end = smaller(g.n, j1), whole = j0 + (end - j0) / W * W;
    const int64_t wide = strip_vectors(g.m) * W;
    const int64_t rows = stream_rows(g, whole - j0);
    const bool aside = !alone && rows < g.k && whole > j0;
    Gemm<T> sums = g;
    if (aside) {
        T* const own = static_cast<T*>(workspace(size_t(g.m * (whole - j0)) * sizeof(T)));
        sums = {g.m, g.n, g.k, g.a, g.a_row, g.a_col, g.b, g.b_row, g.b_col, own, whole - j0};
    }
    const auto tile_at = [&](int64_t k, int64_t depth, int64_t j, const T* b, int64_t b_k,
                             int64_t cols) {
        return Tile<T>{g.a + k * g.a_col, b, g.a_row, g.a_col, b_k, depth, 0, j, cols, k == 0,
                       k + depth == g.k};
    };
    const auto tile_of_sums = [&](int64_t k, int64_t j, int64_t cols) {
        return tile_at(k, smaller(rows, g.k - k), aside ? j - j0 : j, g.b + k * g.b_row + j,
                       g.b_row, cols);
    };
    for (int64_t k = 0; k < g.k && whole > j0; k += rows) {
        int64_t j = j0;
        if (g.a_col == 1 && sums.c_col == 1) {
            const auto counts = std::make_integer_sequence<int, kTileRows>{};
            strip_fn<T>(g.m, counts)(sums, tile_of_sums(k, j, wide), (whole - j) / wide);
            j += (whole - j) / wide * wide;
        }
        const auto run_while_whole = [&](auto vectors) {
            constexpr int NV = vectors.value;
            for (; j + NV * W <= whole; j += NV * W)
                run_tile<NV>(sums, tile_of_sums(k, j, NV * W), g.m);
        };
        if (g.m <= kWideRows) run_while_whole(std::integral_constant<int, kWideVectors>{});
        run_while_whole(std::integral_constant<int, 2>{});
        run_while_whole(std::integral_constant<int, 1>{});
    }
    for (int64_t i = 0; i < g.m && aside; ++i)
        for (int64_t j = j0; j < whole; j += W)
            store_c(g, epilogue(g, load(sums.c + i * sums.c_row + j - j0), i, j, W), i, j, W);
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

// A of more than one block of k, all of which stays in the L2 cache, is multiplied panel by panel
// over all of k: C is not loaded and stored again for each block, and threads help each other. 100
// x 784 x 512 takes 4 to 7 % less on one core of AVX-512, 6 to 16 % on two of a shared machine; of
// AVX2, whose panels are half as wide, up to 7 % more on one core.
constexpr int64_t kRowsInL2 = FASTNN_VECTOR_BYTES == 64 ? 256 * 1024 : 0;

// What a product counts for beside the serial limit: multiply-adds, of which AVX-512 makes three
// while the others make one, or there what it reads of B or writes of C, each element for two. 64 x
// 64 x 64 takes one core of AVX-512 3.4 us and two 3.9, 64 x 128 x 128 15 and 11, 1 x 512 x 512 17
// and 11.
template <class T>
inline int64_t work_of(const Gemm<T>& g) {
    const int64_t products = g.m * g.n * g.k, elements = g.n * (g.m > g.k ? g.m : g.k);
    if (FASTNN_VECTOR_BYTES < 64) return products;
    return products / 3 > 2 * elements ? products / 3 : 2 * elements;
}

// B of so many elements is read as it lies by each thread of a team that has a tile of rows: 16 x
// 1024 x 33 takes two 9 us, and took 18 when each packed what it needs of B.
constexpr int64_t kReadByEach = 64 * 1024;

template <class T>
inline Gemm<T> rows_of(Gemm<T> g, Range rows) {
    g.m = rows.end - rows.begin;
    g.a += rows.begin * g.a_row;
    g.c += rows.begin * g.c_row;
    if (g.mask) g.mask += rows.begin * g.c_row;
    return g;
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
    const int team = team_size(work_of(g));
    const bool small = g.b_col == 1 && g.n * g.k <= kReadByEach;
    const bool few_rows = g.m <= (small ? kTileRows * team : kTileRows) &&
                          (g.b_col == 1 || g.b_row == 1) && g.k > 0 && lies_together(g);
    const bool by_panels = !few_rows && g.k > kBlockK && g.m * g.k <= kRowsInL2;
    parallel(team, [&](int thread, int threads) {
        if (by_panels) return multiply_panels<T>(g, nullptr, thread, threads);
        const Grid grid = few_rows && g.m > kTileRows ? Grid{threads, 1} : choose_grid(g, threads);
        const Range rows = share(g.m, 1, thread / grid.cols, grid.rows);
        const Range cols = share(g.n, W, thread % grid.cols, grid.cols);
        if (rows.begin == rows.end || cols.begin == cols.end) return;
        if (few_rows && rows.end - rows.begin <= kTileRows) {  // more, if fewer threads have come
            const Gemm<T> part = rows_of(g, rows);
            if (g.b_col != 1) return gemm_few_rows_turned(part, cols.begin, cols.end);
            return gemm_few_rows(part, cols.begin, cols.end, threads == 1);
        }
        gemm_block(g, rows.begin, rows.end, cols.begin, cols.end);
    });
}

}  // namespace
}  // namespace fastnn
