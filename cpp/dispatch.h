// The table of the chosen ISA. FASTNN_ISA in the environment, else the best the CPU has.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace fastnn {

const Kernels& kernels();
std::vector<std::string> available_isas();  // worst to best
void set_isa(const std::string& name);      // throws std::invalid_argument listing the valid ones

}  // namespace fastnn
