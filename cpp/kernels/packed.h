// A linear layer whose weights stay packed from step to step: its products, and the update of the
// weights in the store of their gradient's tiles.
//
// Weights w (out, in) lie in panels of outputs, [in][outputs of the panel], as forward products
// read them; where the gradient of the input is asked for, a second copy lies in panels of inputs,
// [out][inputs of the panel]. The optimizer's state lies like the first. Each thread begins with
// its share of the tiles, the same in every step, so that a core meets the same weights and state.
// Each element has the chain of operations that tile.h gives it.
#pragma once

#include "gemm.h"
#include "gradients.h"
#include "optim.h"

namespace fastnn {
namespace {

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

// Whether threads share a layer by the rows of its inputs and outputs and by its inputs, not by
// panels: where its weights are fewer than its inputs. So each reads its own rows alone; else each
// its own weights.
template <class T>
inline bool shared_by_rows(int64_t rows, int64_t out) {
    return out <= rows && rows >= kTileRows * max_threads();
}

// Rows of A that meet all panels before the next ones do: half a megabyte, which stays in the L2
// cache. 4096 x 784 x 512 takes 6 to 12 % less, 5 with AVX2, than when each panel met all rows.
constexpr int64_t kElementsOfA = 128 * 1024;

// C (m, n) = A (m, k) times packed panels, with the epilogues of gemm: g.b is not looked at, A and
// C have rows that lie together.
//
// `settled`: no thread writes the panels between products. Then two tiles of rows each are enough
// for threads to share rows, so that none waits for what another has left of the layer before: 100
// rows of 784-512-512-10 take 4 to 13 % less. After an update the panels are in the cache of the
// core that made it, and the same step takes 15 to 20 % more.
template <class T>
void packed_product(const Gemm<T>& g, const T* packed, bool settled) {
    const Panels<T> panels{g.n, g.k};
    const bool enough = settled && g.m >= 2 * kTileRows * max_threads();
    if (enough || shared_by_rows<T>(g.m, g.n)) {
        const int64_t most = kTileRows * (1 + kElementsOfA / (kTileRows * (g.k + 1)));
        parallel_rows(g.m, g.n * g.k, [&](int64_t begin, int64_t end) {
            for (int64_t at = begin; at < end; at += most) {
                ProductRows<T> rows(g, packed, at, smaller(at + most, end), panels.count());
                for (int64_t panel = 0; panel < panels.count(); ++panel)
                    rows.multiply(panel, 0, rows.tiles());
            }
        });
        return;
    }
    parallel(team_size(g.m * g.n * g.k),
             [&](int thread, int threads) { multiply_panels(g, packed, thread, threads); });
}

// How the threads of a team share the tiles of an update: panel by panel, or in all panels the
// same.
template <class T>
struct UpdateShares {
    Panels<T> panels;
    RowTiles rows;
    bool by_tiles;

    explicit UpdateShares(const PackedUpdate<T>& u)
        : panels{u.out, u.in},
          rows(u.in, kTileRows),
          // of two operands the larger is packed but once
          by_tiles(shared_by_rows<T>(u.rows, u.out) && u.in >= u.out) {}

    // Units of work: tiles of one panel, or of all.
    int64_t units() const { return by_tiles ? rows.tiles : rows.tiles * panels.count(); }
    int64_t tiles_of_unit() const { return by_tiles ? panels.count() : 1; }
    Range of(int thread, int threads) const {
        return by_tiles ? share(rows.tiles, 1, thread, threads)
                        : share_of_tiles(panels, rows.tiles, thread, threads);
    }
    // How many panels these units are of.
    int64_t panels_of(Range part) const {
        if (by_tiles) return panels.count();
        return part.begin < part.end ? (part.end - 1) / rows.tiles - part.begin / rows.tiles + 1
                                     : 0;
    }
    // body(panel, first tile, last tile)
    template <class Body>
    void each(Range part, Body body) const {
        if (!by_tiles) return each_panel(part, rows.tiles, body);
        for (int64_t panel = 0; panel < panels.count(); ++panel) body(panel, part.begin, part.end);
    }
};

// What a thread does of an update: the gradient of tiles, each of which goes into a step of the
// optimizer while it is in the L1 cache. The step is made one tile late: the weights and the state
// it reads were asked for a tile before, and come from the L3 cache meanwhile. It is not made
// between the steps of the product: with a vector of Adam every 4 or 8 of them an update of 100 x
// 512 x 512 takes half as long again on Zen 3, though no register is spilled.
template <class T, class Rule>
class PanelUpdate {
  public:
    // `mine`: what run is called with first, and with more than one block of rows the only part.
    PanelUpdate(const PackedUpdate<T>& u, const UpdateShares<T>& shares, Range mine,
                const Rule& step)
        : u_(u),
          shares_(shares),
          panels_(shares.panels),
          rows_(shares.rows),
          step_(step),
          l2_(broadcast(u.l2)),
          blocks_(blocks(u)),
          x_in_place_(reads_a_in_place<T>(shares.panels_of(mine) * kPanel<T>)) {
        const int64_t depth = (u.rows + blocks_ - 1) / blocks_;
        const int64_t dy_size = panels_.count() * kPanel<T> * depth;
        const int64_t x_size = x_in_place_ ? 0 : x_place(rows_.tiles, depth);
        // sums of several blocks wait for the last one; else two tiles take turns
        const int64_t tiles = (mine.end - mine.begin) * shares.tiles_of_unit();
        const int64_t sums = (blocks_ > 1 ? tiles : 2) * kTile<T>;
        const size_t flags = size_t(panels_.count() + rows_.tiles);
        dy_ = static_cast<T*>(workspace(size_t(dy_size + x_size + sums) * sizeof(T) + flags));
        x_ = dy_ + dy_size;
        sums_ = x_ + x_size;
        packed_ = reinterpret_cast<bool*>(sums_ + sums);
    }

    static int64_t blocks(const PackedUpdate<T>& u) { return (u.rows + kBlockK - 1) / kBlockK; }

    void run(Range part) {
        for (int64_t block = 0; block < blocks_; ++block) run_block(part, block);
    }

    void finish() { make_waiting_step(0); }

  private:
    static constexpr int W = Simd<T>::width;

    void run_block(Range part, int64_t block) {
        const int64_t k0 = u_.rows * block / blocks_, k1 = u_.rows * (block + 1) / blocks_;
        if (block != block_) std::memset(packed_, 0, size_t(panels_.count() + rows_.tiles));
        block_ = block;
        Tile<T> tile{};
        tile.a_row = 1, tile.k = k1 - k0, tile.first = block == 0, tile.last = block + 1 == blocks_;
        Gemm<T> sums{};
        int64_t waiting = 0;  // tiles whose sums wait for the next block
        shares_.each(part, [&](int64_t panel, int64_t first, int64_t last) {
            const int64_t width = panels_.width(panel);
            sums.c_row = tile.b_k = tile.cols = width;
            tile.b = dy_of(panel, k0, k1);
            for (int64_t t = first; t < last; ++t) {
                const int64_t row = rows_.begin(t), count = rows_.begin(t + 1) - row;
                const int64_t place = panels_.offset(panel) + row * width;
                tile.a = x_of(t, k0, k1), tile.a_k = x_in_place_ ? u_.in : count;
                sums.c = sums_ + (blocks_ > 1 ? waiting++ : int64_t(odd_)) * kTile<T>;
                run_panel_tile(sums, tile, count);
                if (!tile.last) continue;
                make_waiting_step(place);
                waiting_ = {sums.c, place, count * width};
                odd_ = !odd_;
            }
        });
    }

    // Rows k0..k1 of a panel's columns of dy, and of a tile's of x: packed when first asked for.
    const T* dy_of(int64_t panel, int64_t k0, int64_t k1) {
        T* const to = dy_ + panels_.begin(panel) * (k1 - k0);
        if (first_time(panel)) {
            Gemm<T> g{};
            g.n = u_.out, g.b = u_.dy, g.b_row = u_.out, g.b_col = 1;
            const int64_t begin = panels_.begin(panel);
            pack_b(to, g, begin, begin + panels_.width(panel), k0, k1);
        }
        return to;
    }
    const T* x_of(int64_t t, int64_t k0, int64_t k1) {
        const int64_t row = rows_.begin(t);
        if (x_in_place_) return u_.x + k0 * u_.in + row;
        T* const to = x_ + x_place(t, k1 - k0);
        if (first_time(panels_.count() + t)) {
            Gemm<T> g{};
            g.m = u_.in, g.a = u_.x, g.a_row = 1, g.a_col = u_.in;
            pack_a(to, g, row, rows_.begin(t + 1) - row, k0, k1);
        }
        return to;
    }
    bool first_time(int64_t flag) {
        const bool before = packed_[flag];
        packed_[flag] = true;
        return !before;
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

    int64_t x_place(int64_t t, int64_t depth) const { return tile_place<T>(rows_, t, depth); }

    const PackedUpdate<T>& u_;
    const UpdateShares<T>& shares_;
    const Panels<T> panels_;
    const RowTiles rows_;
    const Rule& step_;
    const Vec<T> l2_;
    const int64_t blocks_;
    const bool x_in_place_;
    T *dy_, *x_, *sums_;
    bool* packed_;  // of this block: panels of dy, then tiles of x
    int64_t block_ = -1;
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
    const UpdateShares<T> shares(u);
    with_step(u.weights, [&](const auto& step) {
        using Rule = std::decay_t<decltype(step)>;
        using Job = PanelUpdate<T, Rule>;
        const Rule bias_step(u.bias);
        const int64_t work = u.rows * u.in * u.out + u.in * u.out * kElementCost;
        const int64_t unit = kTile<T> * (u.rows + kElementCost) * shares.tiles_of_unit();
        const int64_t units = shares.units(),
                      size = Job::blocks(u) > 1 ? units : units_at_once(unit);
        parallel(team_size(work), [&](int thread, int threads) {
            Job job(u, shares, shares.of(thread, threads), step);
            each_part(
                thread, threads, units, size, [&](int owner) { return shares.of(owner, threads); },
                [&](Range part) { job.run(part); });
            job.finish();
            if (!u.bias.w) return;
            const Range bias = share(u.out, kPanel<T>, thread, threads);
            update_biases(u, bias.begin, bias.end, bias_step);
        });
    });
}

}  // namespace
}  // namespace fastnn
