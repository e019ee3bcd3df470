// A linear layer whose weights stay packed from step to step: its products, and the update of the
// weights in the store of their gradient's tiles.
//
// Weights w (out, in) lie in panels of outputs, [in][outputs of the panel], as forward products
// read them; where the gradient of the input is asked for, a second copy lies in panels of inputs,
// [out][inputs of the panel]. The optimizer's state lies like the first. Work is shared panel by
// panel, so a core meets the same weights and state in every step; where there are fewer panels
// than threads, tile by tile. Each element has the chain of operations that gemm.h gives it.
#pragma once

#include "gemm.h"
#include "gradients.h"
#include "optim.h"

namespace fastnn {
namespace {

template <class T>
constexpr int kPanel = kPanelVectors * Simd<T>::width;

// Panels of `cols` columns and `depth` rows; the last has one vector where that is enough.
template <class T>
struct Panels {
    int64_t cols, depth;
    int64_t count() const { return (cols + kPanel<T> - 1) / kPanel<T>; }
    int64_t begin(int64_t panel) const { return panel * kPanel<T>; }  // its first column
    int64_t width(int64_t panel) const {
        return cols - begin(panel) > Simd<T>::width ? kPanel<T> : Simd<T>::width;
    }
    int64_t offset(int64_t panel) const { return begin(panel) * depth; }
    int64_t size() const { return offset(count() - 1) + width(count() - 1) * depth; }
};

template <class T>
void packed_size(int64_t* size, int64_t cols, int64_t depth) {
    *size = Panels<T>{cols, depth}.size();
}

// to = panels of the columns of b (k, n), given by its strides.
template <class T>
void pack_panels(T* to, const T* b, int64_t k, int64_t n, int64_t row, int64_t col) {
    const Panels<T> panels{n, k};
    Gemm<T> g{};
    g.n = n, g.b = b, g.b_row = row, g.b_col = col;
    parallel_for(panels.count(), 1, kPanel<T> * k * kElementCost, [&](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; ++p)
            pack_b(to + panels.offset(p), g, panels.begin(p), panels.begin(p) + panels.width(p), 0,
                   k);
    });
}

// w (n, k) = the transpose of panels of n columns and depth k.
template <class T>
void unpack_panels(T* w, const T* from, int64_t k, int64_t n) {
    constexpr int W = Simd<T>::width;
    const Panels<T> panels{n, k};
    parallel_for(panels.count(), 1, kPanel<T> * k * kElementCost, [&](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; ++p) {
            const int64_t width = panels.width(p), begin = panels.begin(p);
            const int64_t end = smaller(begin + width, n);
            for (int64_t i = 0; i < k; i += W)
                for (int64_t j = begin; j < end; j += W)
                    transpose(w + j * k + i, k, smaller(W, k - i),
                              from + panels.offset(p) + i * width + (j - begin), width, 1, k - i,
                              end - j);
        }
    });
}

// Panels of inputs, [out][inputs], from panels of outputs, [in][outputs].
template <class T>
void transpose_panels(T* to, const T* from, int64_t in, int64_t out) {
    constexpr int W = Simd<T>::width;
    const Panels<T> outputs{out, in}, inputs{in, out};
    const int64_t vectors = (out + W - 1) / W;
    parallel_for(vectors, 1, W * in * kElementCost, [&](int64_t first, int64_t last) {
        for (int64_t v = first; v < last; ++v) {
            const int64_t j = v * W, p = j / kPanel<T>, width = outputs.width(p);
            const T* const column = from + outputs.offset(p) + (j - outputs.begin(p));
            for (int64_t i = 0; i < in; i += W) {
                const int64_t q = i / kPanel<T>, place = inputs.width(q);
                transpose(to + inputs.offset(q) + j * place + (i - inputs.begin(q)), place, W,
                          column + i * width, width, 1, in - i, out - j);
            }
        }
    });
}

// *sum = the sum of the squares of panels of n columns and depth k: with the bits of square_sum
// over the matrix (n, k) that they were packed from.
template <class T>
void packed_square_sum(double* sum, const T* packed, int64_t k, int64_t n) {
    const Panels<T> panels{n, k};
    const auto add = [&](Sums<T>& sums, int64_t j, int64_t) {
        const int64_t p = j / kPanel<T>;
        add_squares<T>(sums, packed + panels.offset(p) + (j - panels.begin(p)), panels.width(p), k);
    };
    *sum = sum_in_parts<T>(n, Simd<T>::width, k * kElementCost, add);
}

// What a tile one vector wide takes where a whole one takes 6: fewer than 8 sums wait for each
// other.
constexpr int64_t kWholeTile = 6, kNarrowTile = kTileRows < 8 ? 4 : 3;

// The tiles that are a thread's: as much work as another's. Those of its panels, but for the first
// that begins at a tile and the last that ends at one; or in all panels the same, a range of tiles.
struct PanelShare {
    int64_t first, last;  // panels
    int64_t begin, end;   // tiles, of the first and in the last
    int64_t from, upto;   // tiles, of the others
    bool empty;

    // Of 100 columns on AVX2 the last of 7 panels is narrow: half of their number would be 5 % more
    // than half of the work.
    template <class T>
    static PanelShare of_panels(const Panels<T>& panels, int64_t tiles, int thread, int threads) {
        const int64_t last = panels.count() - 1;  // the only one that may be narrow
        const auto cost = [&](int64_t panel) {
            return panels.width(panel) == kPanel<T> ? kWholeTile : kNarrowTile;
        };
        const int64_t work = tiles * (last * kWholeTile + cost(last));
        const auto place = [&](int64_t done) {  // the tile before which `done` of the work is
            const int64_t panel = smaller(done / (tiles * kWholeTile), last);
            return panel * tiles + (done - panel * tiles * kWholeTile) / cost(panel);
        };
        const int64_t begin = place(work * thread / threads);
        const int64_t end = place(work * (thread + 1) / threads);
        const int64_t first = begin / tiles, final = (end - 1) / tiles;
        return {first, final, begin - first * tiles, end - final * tiles, 0, tiles, begin == end};
    }
    template <class T>
    static PanelShare of_tiles(const Panels<T>& panels, int64_t tiles, int thread, int threads) {
        const auto [begin, end] = share(tiles, 1, thread, threads);
        return {0, panels.count() - 1, begin, end, begin, end, begin == end};
    }
    // body(panel, first tile, last tile) for each panel that some tiles are of.
    template <class Body>
    void each(Body body) const {
        for (int64_t p = first; p <= last && !empty; ++p)
            body(p, p == first ? begin : from, p == last ? end : upto);
    }
};

// Whether threads share a layer by the rows of its inputs and outputs and by its inputs, not by
// panels: where its weights are fewer than its inputs. So each reads its own rows alone; else each
// its own weights.
template <class T>
inline bool shared_by_rows(int64_t rows, int64_t out) {
    return out <= rows && rows >= kTileRows * max_threads();
}

// Depths up to this are one block: a panel of 1024 x 32 floats streams by from the L2 cache. Blocks
// that fit the L1 cache would cost more, 3 %, as C is loaded and stored again for each.
constexpr int64_t kPackedBlockK = 1024;

// Computes a tile of a panel, as wide as the panel is.
template <class T>
inline void run_panel_tile(const Gemm<T>& g, const Tile<T>& t, int64_t rows) {
    if (t.b_k == kPanel<T>)
        run_tile<kPanelVectors>(g, t, rows);
    else
        run_tile<1>(g, t, rows);
}

// A few tiles of C, those of the rows from i0 on, times a panel.
template <class T>
void multiply_panel(const Gemm<T>& g, const T* packed, int64_t panel, int64_t i0, RowTiles rows,
                    int64_t first, int64_t last) {
    const Panels<T> panels{g.n, g.k};
    const int64_t width = panels.width(panel), j = panels.begin(panel);
    const int64_t blocks = (g.k + kPackedBlockK - 1) / kPackedBlockK;
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t k0 = g.k * block / blocks, k1 = g.k * (block + 1) / blocks;
        const T* const b = packed + panels.offset(panel) + k0 * width;
        for (int64_t t = first; t < last; ++t) {
            const int64_t i = i0 + rows.begin(t), count = i0 + rows.begin(t + 1) - i;
            const Tile<T> spec{
                g.a + i * g.a_row + k0, b, g.a_row, 1, width, k1 - k0, i, j, g.n - j, block == 0,
                block + 1 == blocks};
            run_panel_tile(g, spec, count);
        }
    }
}

// C (m, n) = A (m, k) times packed panels, with the epilogues of gemm: g.b is not looked at, A and
// C have rows that lie together. A is read in place: to pack it costs as much as it wins, 2 to 3 %.
template <class T>
void packed_product(const Gemm<T>& g, const T* packed) {
    const Panels<T> panels{g.n, g.k};
    if (shared_by_rows<T>(g.m, g.n)) {
        parallel_rows(g.m, g.n * g.k, [&](int64_t begin, int64_t end) {
            const RowTiles rows(end - begin, kTileRows);
            for (int64_t panel = 0; panel < panels.count(); ++panel)
                multiply_panel(g, packed, panel, begin, rows, 0, rows.tiles);
        });
        return;
    }
    const RowTiles rows(g.m, kTileRows);
    parallel(team_size(g.m * g.n * g.k), [&](int thread, int threads) {
        const auto mine = PanelShare::of_panels(panels, rows.tiles, thread, threads);
        mine.each([&](int64_t panel, int64_t first, int64_t last) {
            multiply_panel(g, packed, panel, 0, rows, first, last);
        });
    });
}

// What a thread does of an update: the gradient of its tiles, each of which goes into a step of the
// optimizer while it is in the L1 cache. The step is made one tile late: the weights and the state
// it reads were asked for a tile before, and come from the L3 cache meanwhile. It is not made
// between the steps of the product: with a vector of Adam every 4 or 8 of them an update of 100 x
// 512 x 512 takes half as long again on Zen 3, though no register is spilled.
template <class T, class Rule>
class PanelUpdate {
  public:
    PanelUpdate(const PackedUpdate<T>& u, const PanelShare& mine, const Rule& step)
        : u_(u),
          mine_(mine),
          step_(step),
          panels_{u.out, u.in},
          rows_(u.in, kTileRows),
          l2_(broadcast(u.l2)) {}

    void run() {
        const int64_t blocks = (u_.rows + kBlockK - 1) / kBlockK;
        const int64_t depth = (u_.rows + blocks - 1) / blocks;
        const int64_t columns = stop_column() - panels_.begin(mine_.first);
        const int64_t x_size = x_place(mine_.upto, depth);
        // sums of several blocks wait for the last one; else two tiles take turns
        const int64_t sums = blocks > 1 ? columns * u_.in : 2 * kTile;
        dy_ = static_cast<T*>(workspace(size_t(columns * depth + x_size + sums) * sizeof(T)));
        x_ = dy_ + columns * depth;
        sums_ = x_ + x_size;
        for (int64_t block = 0; block < blocks; ++block)
            run_block(u_.rows * block / blocks, u_.rows * (block + 1) / blocks, blocks > 1,
                      block + 1 == blocks);
        make_waiting_step(0);
    }

  private:
    static constexpr int W = Simd<T>::width;
    static constexpr int64_t kTile = kTileRows * kPanel<T>;

    void run_block(int64_t k0, int64_t k1, bool several, bool last) {
        const int64_t depth = k1 - k0;
        Gemm<T> g{};
        g.m = u_.in, g.a = u_.x, g.a_row = 1, g.a_col = u_.in;
        g.n = u_.out, g.b = u_.dy, g.b_row = u_.out, g.b_col = 1;
        pack_b(dy_, g, panels_.begin(mine_.first), stop_column(), k0, k1);
        Tile<T> tile{};
        tile.a_row = 1, tile.k = depth, tile.first = k0 == 0, tile.last = last;
        Gemm<T> sums{};
        const bool in_place = reads_a_in_place<T>(stop_column() - panels_.begin(mine_.first));
        int64_t met = 0;  // as many tiles as a whole panel has: after them, all have been packed
        mine_.each([&](int64_t panel, int64_t begin, int64_t end) {
            const int64_t width = panels_.width(panel);
            sums.c_row = tile.b_k = tile.cols = width;
            tile.b = dy_ + (panels_.begin(panel) - panels_.begin(mine_.first)) * depth;
            for (int64_t t = begin; t < end; ++t) {
                const int64_t row = rows_.begin(t), count = rows_.begin(t + 1) - row;
                const int64_t place = panels_.offset(panel) + row * width;
                if (in_place) {
                    tile.a = u_.x + k0 * u_.in + row, tile.a_k = u_.in;
                } else {
                    T* const x = x_ + x_place(t, depth);
                    if (met++ < mine_.upto - mine_.from) pack_a(x, g, row, count, k0, k1);
                    tile.a = x, tile.a_k = count;
                }
                sums.c = several ? sums_ + (place - panels_.offset(mine_.first))
                                 : sums_ + (odd_ ? kTile : 0);
                run_panel_tile(sums, tile, count);
                if (!last) continue;
                make_waiting_step(place);
                waiting_ = {sums.c, place, count * width};
                odd_ = !odd_;
            }
        });
    }

    // And asks for what the next one needs, line by line: all at once would fill the queue of
    // misses.
    void make_waiting_step(int64_t next) {
        // what is stored may lie anywhere, for all the compiler knows: it would read these again
        const Rule step = step_;
        const Vec<T> l2 = l2_;
        const bool penalty = u_.l2 > 0;
        const T *const sums = waiting_.sums, *const weights = u_.weights.w + waiting_.place;
        const int64_t place = waiting_.place, size = waiting_.size;
        for (int64_t v = 0; v < size; v += W) {
            step.prefetch(next + v);
            const Vec<T> grad = load(sums + v);
            step(penalty ? with_l2<T>(grad, l2, load(weights + v)) : grad, place + v, W);
        }
        waiting_.size = 0;
    }

    // A tile leaves a vector of room behind it, into which it is packed (see pack_a): they are not
    // packed in their order.
    int64_t x_place(int64_t t, int64_t depth) const { return rows_.begin(t) * depth + t * W; }

    int64_t stop_column() const { return panels_.begin(mine_.last) + panels_.width(mine_.last); }

    const PackedUpdate<T>& u_;
    const PanelShare mine_;
    const Rule& step_;
    const Panels<T> panels_;
    const RowTiles rows_;
    const Vec<T> l2_;
    T *dy_ = nullptr, *x_ = nullptr, *sums_ = nullptr;
    struct {
        const T* sums;
        int64_t place, size;
    } waiting_ = {};
    bool odd_ = false;
};

// The biases of columns [begin, end): their gradients are the sums of the columns of dy. Four
// vectors at once, as each sum waits for the one before.
template <class T, class Rule>
void update_biases(const PackedUpdate<T>& u, int64_t begin, int64_t end, const Rule& step) {
    constexpr int W = Simd<T>::width, kAtOnce = 4;
    for (int64_t c = begin; c < end; c += kAtOnce * W) {
        Vec<T> sums[kAtOnce] = {};
        const auto each = [&](auto body) {  // body(vector, its column, columns left)
            FASTNN_UNROLL for (int v = 0; v < kAtOnce; ++v) {
                const int64_t left = end - c - v * W;
                if (left > 0) body(sums[v], c + v * W, left);
            }
        };
        for (int64_t i = 0; i < u.rows; ++i)
            each([&](Vec<T>& sum, int64_t column, int64_t left) {
                sum += load_n(u.dy + i * u.out + column, left);
            });
        each([&](Vec<T>& sum, int64_t column, int64_t left) { step(sum, column, left); });
    }
}

// Weights and biases after a step with the gradients dy^T x and the column sums of dy.
template <class T>
void packed_update(const PackedUpdate<T>& u) {
    const Panels<T> panels{u.out, u.in};
    const int64_t tiles = RowTiles(u.in, kTileRows).tiles;
    with_step(u.weights, [&](const auto& step) {
        using Rule = std::decay_t<decltype(step)>;
        const Rule bias_step(u.bias);
        // of two operands the larger is packed but once
        const bool by_tiles = shared_by_rows<T>(u.rows, u.out) && u.in >= u.out;
        const int64_t work = u.rows * u.in * u.out + u.in * u.out * kElementCost;
        parallel(team_size(work), [&](int thread, int threads) {
            const auto mine = by_tiles ? PanelShare::of_tiles(panels, tiles, thread, threads)
                                       : PanelShare::of_panels(panels, tiles, thread, threads);
            if (!mine.empty) PanelUpdate<T, Rule>(u, mine, step).run();
            if (!u.bias.w) return;
            const Range bias = share(u.out, kPanel<T>, thread, threads);
            update_biases(u, bias.begin, bias.end, bias_step);
        });
    });
}

}  // namespace
}  // namespace fastnn
