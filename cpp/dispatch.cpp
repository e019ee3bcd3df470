#include "dispatch.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace fastnn {

extern const Kernels kernels_baseline;
#ifdef FASTNN_X86
extern const Kernels kernels_avx2, kernels_avx512;
#endif

namespace {

struct Isa {
    const Kernels* table;
    bool (*supported)();
};

#ifdef FASTNN_X86
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
#ifdef FASTNN_EMULATE_AVX512
    return has_avx2();
#else
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && has_avx2();
#endif
}
#endif

// Worst to best. Each asks for all that the build enables for its objects.
const Isa kIsas[] = {
    {&kernels_baseline, [] { return true; }},
#ifdef FASTNN_X86
    {&kernels_avx2, has_avx2},
    {&kernels_avx512, has_avx512},
#endif
};

const Kernels& find(const std::string& name, const char* who) {
    std::string valid;
    for (const Isa& isa : kIsas) {
        if (!isa.supported()) continue;
        if (name == isa.table->isa) return *isa.table;
        valid += (valid.empty() ? "" : ", ") + std::string(isa.table->isa);
    }
    throw std::invalid_argument(std::string(who) + ": expected one of " + valid + ", got '" + name +
                                "'");
}

const Kernels* chosen_at_start() {
    const char* wanted = std::getenv("FASTNN_ISA");
    return &find(wanted && *wanted ? wanted : available_isas().back(), "FASTNN_ISA");
}

std::atomic<const Kernels*>& active() {
    static std::atomic<const Kernels*> table{chosen_at_start()};
    return table;
}

}  // namespace

const Kernels& kernels() { return *active().load(std::memory_order_relaxed); }

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const Isa& isa : kIsas)
        if (isa.supported()) names.push_back(isa.table->isa);
    return names;
}

void set_isa(const std::string& name) { active() = &find(name, "set_isa"); }

}  // namespace fastnn
