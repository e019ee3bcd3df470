// Memory aligned to 64 bytes: a cache line, and the widest vector.
#pragma once

#include <cstddef>
#include <new>

namespace fastnn {

constexpr std::align_val_t kAlignment{64};

// Throws std::bad_alloc. By way of the form that doesn't, since AddressSanitizer ends the process
// where the throwing one finds no memory, whatever its options are.
inline void* aligned_new(size_t bytes) {
    void* data = ::operator new(bytes, kAlignment, std::nothrow);
    if (!data) throw std::bad_alloc();
    return data;
}

inline void aligned_delete(void* data) { ::operator delete(data, kAlignment); }

}  // namespace fastnn
