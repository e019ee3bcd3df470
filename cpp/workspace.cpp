#include "workspace.h"

#include <new>

namespace fastnn {
namespace {

constexpr std::align_val_t kAlignment{64};

struct Block {
    void* data = nullptr;
    size_t size = 0;

    void reset(size_t bytes) {
        ::operator delete(data, kAlignment);
        data = nullptr;
        size = 0;
        if (!bytes) return;
        data = ::operator new(bytes, kAlignment);
        size = bytes;
    }
    ~Block() { reset(0); }
};

}  // namespace

void* workspace(size_t bytes) {
    static thread_local Block block;
    if (block.size < bytes) block.reset(bytes);
    return block.data;
}

}  // namespace fastnn
