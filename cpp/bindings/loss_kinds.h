// The names of the losses that work element by element.
#pragma once

#include <string>
#include <utility>

#include "../kernels.h"
#include "arrays.h"

namespace fastnn {

inline ElementLossKind element_loss_kind(const Gate& gate, const std::string& name) {
    static constexpr std::pair<const char*, ElementLossKind> kinds[] = {
        {"mse", ElementLossKind::mse},
        {"l1", ElementLossKind::l1},
        {"smooth_l1", ElementLossKind::smooth_l1},
        {"huber", ElementLossKind::huber},
        {"quantile", ElementLossKind::quantile},
        {"poisson", ElementLossKind::poisson},
        {"poisson_full", ElementLossKind::poisson_full},
        {"poisson_log", ElementLossKind::poisson_log},
        {"poisson_log_full", ElementLossKind::poisson_log_full},
        {"bce", ElementLossKind::bce},
        {"bce_with_logits", ElementLossKind::bce_with_logits}};
    std::string known;
    for (const auto& [known_name, kind] : kinds) {
        if (name == known_name) return kind;
        known += (known.empty() ? "" : ", ") + std::string(known_name);
    }
    throw std::invalid_argument(gate.where("kind") + "expected one of " + known + ", got " + name);
}

}  // namespace fastnn
