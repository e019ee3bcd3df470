// Scratch memory of a thread: grows to the largest size asked for and is used again.
#pragma once

#include <cstddef>

namespace fastnn {

// At least `bytes`, 64-byte aligned; valid until the same thread asks again. Throws
// std::bad_alloc.
void* workspace(size_t bytes);

}  // namespace fastnn
