// Compiled once per ISA: every kernel, in an anonymous namespace, and the one table that names
// them. Eigen is renamed by the build (-DEigen=...), so no two ISAs share an instantiation.
#include "kernels.h"

#include "kernels/activations.h"
#include "kernels/arithmetic.h"
#include "kernels/dropout.h"
#include "kernels/element_losses.h"
#include "kernels/gather.h"
#include "kernels/gemm.h"
#include "kernels/gradients.h"
#include "kernels/losses.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/packed.h"
#include "kernels/peak.h"
#include "kernels/philox.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"

namespace fastnn {
namespace {

template <class T>
constexpr KernelsOf<T> all_kernels() {
    return {
#define FASTNN_KERNEL(name, arguments) &name<T>,
#include "kernels.def"
#undef FASTNN_KERNEL
    };
}

}  // namespace

#define FASTNN_STRING(x) #x
#define FASTNN_NAME(x) FASTNN_STRING(x)
#define FASTNN_JOIN(a, b) a##b
#define FASTNN_TABLE(isa) FASTNN_JOIN(kernels_, isa)

extern const Kernels FASTNN_TABLE(FASTNN_KERNEL_ISA);
const Kernels FASTNN_TABLE(FASTNN_KERNEL_ISA) = {FASTNN_NAME(FASTNN_KERNEL_ISA),
                                                 FASTNN_VECTOR_BYTES, all_kernels<float>(),
                                                 all_kernels<double>()};

}  // namespace fastnn
