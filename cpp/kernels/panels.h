// Panels of B, and the rows of C that a thread computes from them.
#pragma once

#include "../parallel.h"
#include "../workspace.h"
#include "tile.h"

namespace fastnn {
namespace {

template <class T>
constexpr int kPanel = kPanelVectors * Simd<T>::width;
template <class T>
constexpr int64_t kTile = kTileRows * kPanel<T>;

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

// What a tile one vector wide takes where a whole one takes 6: fewer than 8 sums wait for each
// other.
constexpr int64_t kWholeTile = 6, kNarrowTile = kTileRows < 8 ? 4 : 3;

// Of the tiles of all panels, one panel's after another's, those that are a thread's: as much work
// as another's. Of 100 columns on AVX2 the last of 7 panels is narrow: half of their number would
// be 5 % more than half of the work.
template <class T>
inline Range share_of_tiles(const Panels<T>& panels, int64_t tiles, int thread, int threads) {
    const int64_t last = panels.count() - 1;  // the only one that may be narrow
    const auto cost = [&](int64_t panel) {
        return panels.width(panel) == kPanel<T> ? kWholeTile : kNarrowTile;
    };
    const int64_t work = tiles * (last * kWholeTile + cost(last));
    const auto place = [&](int64_t done) {  // the tile before which `done` of the work is
        const int64_t panel = smaller(done / (tiles * kWholeTile), last);
        return panel * tiles + (done - panel * tiles * kWholeTile) / cost(panel);
    };
    return {place(work * thread / threads), place(work * (thread + 1) / threads)};
}

// body(panel, first tile, last tile) for each panel that some of these tiles are of.
template <class Body>
inline void each_panel(Range all, int64_t tiles, Body body) {
    for (int64_t at = all.begin, next; at < all.end; at = next) {
        const int64_t panel = at / tiles;
        next = smaller((panel + 1) * tiles, all.end);
        body(panel, at - panel * tiles, next - panel * tiles);
    }
}

// Depths up to this are one block: a panel of 1024 x 32 floats streams by from the L2 cache. Blocks
// that fit the L1 cache would cost more, 3 %, as C is loaded and stored again for each.
constexpr int64_t kPanelBlockK = 1024;

// Where a tile lies among those of some rows, packed in any order: it leaves a vector of room
// behind it, into which it is packed (see pack_a).
template <class T>
inline int64_t tile_place(const RowTiles& rows, int64_t t, int64_t depth) {
    return rows.begin(t) * depth + t * Simd<T>::width;
}

// Computes a tile of a panel, as wide as the panel is.
template <class T>
inline void run_panel_tile(const Gemm<T>& g, const Tile<T>& t, int64_t rows) {
    if (t.b_k == kPanel<T>)
        run_tile<kPanelVectors>(g, t, rows);
    else
        run_tile<1>(g, t, rows);
}

// AVX-512 packs rows of A that meet as many panels: 100 rows of 784 against 8 take 5 % more time
// where a core is a thread's own, 3 to 7 % less where it is not, against 16 up to 12 % less. AVX2
// reads them in place, as packed ones take it 5 to 8 % more. So are the rows of a narrow tile: 1
// row through 784-512-512-10 takes two cores of AVX-512 29 us instead of 37.
constexpr int64_t kPanelsToPackFor = FASTNN_VECTOR_BYTES == 64 ? 8 : INT64_MAX;

// Rows [begin, end) of C, a thread's, tile by tile, from panels of B that lie packed or, where
// `packed` is null, are packed one after another. About `panels` of them are to be met.
template <class T>
class ProductRows {
  public:
    ProductRows(const Gemm<T>& g, const T* packed, int64_t begin, int64_t end, int64_t panels)
        : g_(g),
          packed_(packed),
          panels_{g.n, g.k},
          begin_(begin),
          rows_(end - begin, kTileRows),
          blocks_(g.k > kPanelBlockK ? (g.k + kPanelBlockK - 1) / kPanelBlockK : 1),
          in_place_(lies_together(g) &&
                    (packed ? panels < kPanelsToPackFor || end - begin <= kWideRows
                            : reads_a_in_place<T>(panels * kPanel<T>))) {
        const int64_t b_size = packed ? 0 : kPanel<T> * g.k;
        const int64_t a_size = in_place_ ? 0 : tile_place<T>(rows_, rows_.tiles, g.k);
        const int64_t flags = in_place_ ? 0 : rows_.tiles * blocks_;
        b_ = static_cast<T*>(workspace(size_t(b_size + a_size) * sizeof(T) + size_t(flags)));
        a_ = b_ + b_size;
        a_packed_ = reinterpret_cast<bool*>(a_ + a_size);
        if (flags > 0) std::memset(a_packed_, 0, size_t(flags));  // null where nothing is packed
    }

    int64_t tiles() const { return rows_.tiles; }

    // A few tiles times a panel.
    void multiply(int64_t panel, int64_t first, int64_t last) {
        const T* const b = panel_of_b(panel);
        Tile<T> tile{};
        tile.b_k = panels_.width(panel);
        tile.j = panels_.begin(panel), tile.cols = g_.n - tile.j;
        for (int64_t block = 0; block < blocks_; ++block) {
            const int64_t k0 = g_.k * block / blocks_;
            tile.k = g_.k * (block + 1) / blocks_ - k0;
            tile.b = b + k0 * tile.b_k;
            tile.first = block == 0, tile.last = block + 1 == blocks_;
            for (int64_t t = first; t < last; ++t) {
                tile.i = begin_ + rows_.begin(t);
                const int64_t count = rows_.begin(t + 1) - rows_.begin(t);
                if (in_place_) {
                    tile.a = g_.a + tile.i * g_.a_row + k0 * g_.a_col;
                    tile.a_row = g_.a_row, tile.a_k = g_.a_col;
                } else {
                    T* const a = a_ + tile_place<T>(rows_, t, g_.k) + count * k0;
                    bool& packed = a_packed_[t * blocks_ + block];
                    if (!packed) pack_a(a, g_, tile.i, count, k0, k0 + tile.k);
                    packed = true;
                    tile.a = a, tile.a_row = 1, tile.a_k = count;
                }
                run_panel_tile(g_, tile, count);
            }
        }
    }

  private:
    const T* panel_of_b(int64_t panel) {
        if (packed_) return packed_ + panels_.offset(panel);
        const int64_t begin = panels_.begin(panel);
        if (panel != panel_) pack_b(b_, g_, begin, begin + panels_.width(panel), 0, g_.k);
        panel_ = panel;
        return b_;
    }

    const Gemm<T>& g_;
    const T* const packed_;
    const Panels<T> panels_;
    const int64_t begin_;
    const RowTiles rows_;
    const int64_t blocks_;
    const bool in_place_;
    T *b_, *a_;
    bool* a_packed_;
    int64_t panel_ = -1;  // that b_ holds
};

// What a thread of a team computes of C.
template <class T>
void multiply_panels(const Gemm<T>& g, const T* packed, int thread, int threads) {
    const Panels<T> panels{g.n, g.k};
    ProductRows<T> rows(g, packed, 0, g.m, panels.count() / threads);
    const int64_t tiles = rows.tiles();
    each_part(
        thread, threads, panels.count() * tiles, units_at_once(kTile<T> * g.k),
        [&](int owner) { return share_of_tiles(panels, tiles, owner, threads); },
        [&](Range part) {
            each_panel(part, tiles, [&](int64_t panel, int64_t first, int64_t last) {
                rows.multiply(panel, first, last);
            });
        });
}

}  // namespace
}  // namespace fastnn
