#include "workspace.h"

#include "aligned.h"

namespace fastnn {
namespace {

struct Block {
    void* data = nullptr;
    size_t size = 0;

    void reset(size_t bytes) {
        aligned_delete(data);
        data = nullptr;
        size = 0;
        if (!bytes) return;
        data = aligned_new(bytes);
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
