// Programs: arrays pass the gate once, when a program is made, and data once a run.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "../program/program.h"
#include "arrays.h"
#include "bind.h"
#include "loss_kinds.h"

namespace fastnn {
namespace {

// A program with what keeps its arrays alive.
template <class T>
struct Bound {
    explicit Bound(int64_t max_rows) : program(max_rows) {}
    Program<T> program;
    std::vector<py::object> kept;

    template <class V>
    auto keep(const V& values) {
        kept.push_back(values.keep);
        return values.data;
    }
};

const Gate kGate("Program");

// w and its gradient, which may be None: it is not trained. None for w: there is none.
template <class T>
Parameter<T> parameter(Bound<T>& p, py::handle w, py::handle grad) {
    if (w.is_none()) return {};
    const Shape shape = kGate.input<T>("parameter", w).shape;
    const auto values = kGate.output<T>("parameter", w, shape);
    const auto g = kGate.output_or_none<T>("gradient", grad, shape);
    T* const data = p.keep(values);
    return p.program.parameter(data, p.keep(g), values.size(), shape.size() > 1 ? shape[0] : 0);
}

template <class T>
T* state(Bound<T>& p, py::handle array, const Shape& shape) {
    return p.keep(kGate.output_or_none<T>("state", array, shape));
}

// The rows of a run: a table of numbers and how they become values.
template <class T>
struct Rows {
    py::array keep, values, shift, divisor, offset;
    Source<T> source{};
    int64_t count = 0;
};

SourceType source_type(const py::array& a) {
    static constexpr std::pair<const char*, SourceType> types[] = {
        {"f4", SourceType::f32}, {"f8", SourceType::f64}, {"i1", SourceType::i8},
        {"i2", SourceType::i16}, {"i4", SourceType::i32}, {"i8", SourceType::i64},
        {"u1", SourceType::u8},  {"u2", SourceType::u16}, {"u4", SourceType::u32},
        {"u8", SourceType::u64}, {"b1", SourceType::u8}};
    const std::string name = a.dtype().kind() + std::to_string(a.itemsize());
    for (const auto& [known, type] : types)
        if (name == known) return type;
    throw kGate.wrong_type("rows", "real numbers of up to 8 bytes", a);
}

template <class T>
Rows<T> rows(py::handle table, int64_t cols) {
    Rows<T> r;
    py::array a = py::reinterpret_borrow<py::array>(table);
    const bool native = a.dtype().byteorder() == '=' || a.dtype().byteorder() == '|';
    if (!native || !(a.flags() & py::array::c_style) || !(a.flags() & kAligned))
        throw std::invalid_argument(kGate.where("rows") +
                                    "expected native, aligned, C-contiguous values");
    if (a.ndim() != 2 || a.shape(1) != cols)
        throw kGate.wrong_shape("rows", "(n, " + std::to_string(cols) + ")", shape_of(a));
    r.source.type = source_type(a), r.source.data = a.data(), r.source.cols = cols;
    r.count = a.shape(0), r.keep = a;
    return r;
}

// (table, None), (bytes, values of each byte (256)) or (table, (shift, divisor, offset)).
template <class T>
Rows<T> input_rows(const py::tuple& given, int64_t cols) {
    Rows<T> r = rows<T>(given[0], cols);
    if (py::isinstance<py::tuple>(given[1])) {
        const auto affine = given[1].cast<py::tuple>();
        const auto column = [&](int i, py::array& keep) {
            const auto v = kGate.input<double>("scaling", affine[i], {cols});
            keep = v.keep;
            return v.data;
        };
        r.source.shift = column(0, r.shift);
        r.source.divisor = column(1, r.divisor);
        r.source.offset = column(2, r.offset);
    } else if (!given[1].is_none()) {
        if (r.source.type != SourceType::u8)
            throw kGate.wrong_type("rows", "uint8, as there is a value for each byte", r.keep);
        const auto v = kGate.input<T>("values", given[1], {256});
        r.values = v.keep, r.source.values = v.data;
    }
    return r;
}

template <class T>
py::tuple run(Bound<T>& p, const py::tuple& inputs, py::handle labels, int64_t classes,
              int64_t ignored, py::handle targets, py::handle weights, py::handle order,
              py::handle sizes, py::handle masses, int64_t accumulate, py::handle rates,
              uint64_t seed, uint64_t draw, double loss, double rows_seen, double penalty,
              double right, double counted, const py::function& tick) {
    Program<T>& program = p.program;
    const Rows<T> x = input_rows<T>(inputs, program.input_cols());
    Data<T> data{x.source};
    Values<const int64_t> y;
    Rows<T> t;
    if (!labels.is_none()) {
        y = kGate.labels("labels", labels, x.count, classes, ignored);
        data.labels = y.data;
    } else {
        t = rows<T>(targets, program.output_cols());
        if (t.count != x.count) throw kGate.wrong_shape("targets", "as many rows", {t.count});
        data.targets = t.source;
    }
    const auto w = kGate.input_or_none<T>("weights", weights, {x.count});
    data.weights = w.data;
    const auto indices = kGate.indices("order", order, {int64_t(py::len(order))}, x.count, "row");
    const auto cut = kGate.indices("sizes", sizes, {int64_t(py::len(sizes))},
                                   program.max_rows() + 1, "batch size");
    int64_t all = 0;
    for (int64_t i = 0; i < cut.size(); ++i) {
        all += cut.data[i];
        if (!cut.data[i]) throw std::invalid_argument(kGate.where("sizes") + "an empty batch");
    }
    if (!cut.size() || all != indices.size() || accumulate < 1)
        throw std::invalid_argument(kGate.where("sizes") + "expected batches of all rows");
    const auto mass = kGate.input_or_none<double>("masses", masses, {cut.size()});
    const int64_t steps = (cut.size() + accumulate - 1) / accumulate;
    const auto schedule = kGate.input_or_none<double>(
        "rates", rates, {steps, int64_t(program.optimizers().size()), kRates});
    Measured measured{loss, rows_seen, penalty, right, counted};
    std::optional<py::error_already_set> error;
    const auto stop = [&] {
        const py::gil_scoped_acquire acquire;
        try {
            return tick(measured.batches, measured.loss, measured.rows, measured.penalty,
                        measured.right, measured.counted)
                .template cast<bool>();
        } catch (py::error_already_set& raised) {
            error.emplace(raised);
            return true;
        }
    };
    Ending ending;
    {
        py::gil_scoped_release release;
        ending = program.run(data, {indices.data, cut.data, mass.data, cut.size(), accumulate},
                             schedule.data, seed, draw, measured, stop);
    }
    static constexpr const char* names[] = {"done", "stopped", "not finite", "invalid"};
    py::object raised = py::none();
    if (error) raised = error->value();
    return py::make_tuple(names[int(ending)], measured.loss, measured.rows, measured.penalty,
                          measured.right, measured.counted, measured.batches, measured.steps,
                          measured.last_loss, raised);
}

template <class T>
void predict(Bound<T>& p, py::handle out, const py::tuple& inputs) {
    const Rows<T> x = input_rows<T>(inputs, p.program.input_cols());
    const auto result = kGate.output<T>("out", out, {x.count, p.program.output_cols()});
    p.program.keep_frozen();  // before others run: they may take what it has packed
    py::gil_scoped_release release;
    p.program.predict(result.data, x.source, x.count);
}

template <class T>
CrossEntropy<T> class_rule(Bound<T>& p, py::handle weight, int64_t classes, int64_t ignore_index,
                           double smoothing) {
    const auto w = kGate.input_or_none<T>("weight", weight, {classes});
    return {p.keep(w), T(1 - smoothing), T(smoothing / double(classes)), ignore_index};
}

template <class T>
void define_operations(py::class_<Bound<T>>& c) {
    using py::arg;
    using Id = typename Program<T>::Id;
    c.def("parameter", [](Bound<T>& p, py::handle w, py::handle grad) { parameter(p, w, grad); });
    c.def("input", [](Bound<T>& p, int64_t cols) { return p.program.input(cols); });
    c.def("linear", [](Bound<T>& p, Id x, int64_t out, py::handle w, py::handle dw, py::handle b,
                       py::handle db, bool relu) {
        const auto weight = parameter(p, w, dw), bias = parameter(p, b, db);
        return p.program.linear(x, out, weight, bias, relu);
    });
    c.def("activation",
          [](Bound<T>& p, const std::string& name, Id x, const std::vector<double>& options) {
              ActivationOptions<T> o;
              if (options.size() > 0) o.first = T(options[0]);
              if (options.size() > 1) o.second = T(options[1]);
              return p.program.activation(name, x, o);
          });
    c.def("softmax", [](Bound<T>& p, Id x, int64_t classes, bool log) {
        return p.program.softmax(x, classes, log);
    });
    c.def("dropout", [](Bound<T>& p, Id x, double rate) { return p.program.dropout(x, rate); });
    c.def("batch_norm", [](Bound<T>& p, Id x, py::handle w, py::handle dw, py::handle b,
                           py::handle db, int64_t channels, double eps, bool batch,
                           py::handle running_mean, py::handle running_var, double momentum) {
        const auto weight = parameter(p, w, dw), bias = parameter(p, b, db);
        const RunningStatistics<T> running{state(p, running_mean, {channels}),
                                           state(p, running_var, {channels}), momentum, 0};
        return p.program.batch_norm(x, weight, bias, channels, T(eps), batch, running);
    });
    c.def("layer_norm", [](Bound<T>& p, Id x, py::handle w, py::handle dw, py::handle b,
                           py::handle db, int64_t cols, double eps) {
        const auto weight = parameter(p, w, dw), bias = parameter(p, b, db);
        return p.program.layer_norm(x, weight, bias, cols, T(eps));
    });
    c.def("combine", [](Bound<T>& p, const std::string& kind, Id a, Id b) {
        const auto k = kind == "add"   ? Arithmetic::add
                       : kind == "sub" ? Arithmetic::subtract
                                       : Arithmetic::multiply;
        return p.program.combine(k, a, b);
    });
    c.def_property(
        "seen",
        [](const Bound<T>& p) {
            std::vector<int64_t> seen;
            for (const auto* norm : p.program.batch_norms()) seen.push_back(norm->running.seen);
            return seen;
        },
        [](Bound<T>& p, const std::vector<int64_t>& seen) {
            const auto& norms = p.program.batch_norms();
            for (size_t i = 0; i < norms.size() && i < seen.size(); ++i)
                norms[i]->running.seen = seen[i];
        });
    c.def_property_readonly("masks", [](const Bound<T>& p) { return p.program.masks(); });
}

template <class T>
void define_losses(py::class_<Bound<T>>& c) {
    using Id = typename Program<T>::Id;
    c.def("class_loss", [](Bound<T>& p, const std::string& kind, Id x, int64_t classes, bool mean,
                           py::handle weight, int64_t ignore_index, double smoothing) {
        const auto rule = class_rule(p, weight, classes, ignore_index, smoothing);
        if (kind == "cross_entropy") return p.program.cross_entropy(x, mean, rule);
        if (kind == "soft_cross_entropy") return p.program.soft_cross_entropy(x, mean, rule);
        p.program.nll(x, mean, rule);
    });
    c.def("give", [](Bound<T>& p, Id x) { p.program.give(x); });
    c.def("weigh_rows",
          [](Bound<T>& p, double factor, double limit) { p.program.weigh_rows(factor, limit); });
    c.def("element_loss", [](Bound<T>& p, const std::string& kind, Id x, int64_t cols, bool mean,
                             py::handle weight, py::handle pos_weight, double parameter) {
        const Shape all{p.program.max_rows(), cols};
        const auto w = kGate.input_or_none<T>("weight", weight, all);
        const auto positive = kGate.input_or_none<T>("pos_weight", pos_weight, all);
        T const* const weights = p.keep(w);
        p.program.element_loss(
            x, mean, {element_loss_kind(kGate, kind), T(parameter), weights, p.keep(positive)});
    });
}

template <class T>
void define_optimizers(py::class_<Bound<T>>& c) {
    const auto value = [](const py::dict& o, const char* name) { return o[name].cast<double>(); };
    const auto flag = [](const py::dict& o, const char* name) { return o[name].cast<bool>(); };
    c.def("optimize", [=](Bound<T>& p, const std::string& kind, py::handle w, py::handle grads,
                          const std::vector<py::object>& states, int64_t steps, const py::dict& o) {
        const Shape shape = kGate.input<T>("w", w).shape;
        const auto values = kGate.output<T>("w", w, shape);
        const auto g = kGate.output<T>("grads", grads, shape);
        std::array<T*, 3> s{};
        for (size_t i = 0; i < states.size() && i < 3; ++i) s[i] = state(p, states[i], shape);
        T *const weights = p.keep(values), *const gradients = p.keep(g);
        const int64_t n = values.size();
        if (kind == "sgd") {
            const SgdOptions options{value(o, "lr"),        value(o, "momentum"),
                                     value(o, "dampening"), value(o, "weight_decay"),
                                     flag(o, "nesterov"),   flag(o, "maximize")};
            p.program.optimize(
                std::make_unique<SgdOptimizer<T>>(options, weights, s, gradients, n, steps));
        } else if (kind == "adam") {
            const AdamOptions options{
                value(o, "lr"),           value(o, "beta1"),    value(o, "beta2"),  value(o, "eps"),
                value(o, "weight_decay"), flag(o, "decoupled"), flag(o, "maximize")};
            p.program.optimize(std::make_unique<AdamOptimizer<T>>(options, flag(o, "plain_root"),
                                                                  weights, s, gradients, n, steps));
        } else if (kind == "adagrad") {
            const AdagradOptions options{value(o, "lr"), value(o, "eps"), value(o, "weight_decay"),
                                         flag(o, "maximize")};
            p.program.optimize(std::make_unique<AdagradOptimizer<T>>(
                options, value(o, "lr_decay"), weights, s, gradients, n, steps));
        } else {
            const RmspropOptions options{value(o, "lr"),       value(o, "alpha"),
                                         value(o, "eps"),      value(o, "weight_decay"),
                                         value(o, "momentum"), flag(o, "maximize")};
            p.program.optimize(
                std::make_unique<RmspropOptimizer<T>>(options, weights, s, gradients, n, steps));
        }
    });
    c.def("forget_optimizers", [](Bound<T>& p) { p.program.forget_optimizers(); });
    c.def("adjust", [](Bound<T>& p, double l1, double l2, double norm, double limit) {
        p.program.adjust({l1, l2, norm, limit});
    });
    c.def("measure", [](Bound<T>& p, const std::string& kind, double threshold, int64_t ignored) {
        p.program.measure(kind == "classes" ? Accuracy::classes
                          : kind == "bits"  ? Accuracy::bits
                                            : Accuracy::none,
                          T(threshold), ignored);
    });
}

template <class T>
void define(py::module_& m, const char* name) {
    using py::arg;
    py::class_<Bound<T>> c(m, name);
    c.def(py::init<int64_t>(), arg("max_rows"));
    define_operations(c);
    define_losses(c);
    define_optimizers(c);
    c.def("run", &run<T>, arg("inputs"), arg("labels"), arg("classes"), arg("ignored"),
          arg("targets"), arg("weights"), arg("order"), arg("sizes"), arg("masses"),
          arg("accumulate"), arg("rates"), arg("seed"), arg("draw"), arg("loss"), arg("rows"),
          arg("penalty"), arg("right"), arg("counted"), arg("tick"));
    c.def("predict", &predict<T>, arg("out"), arg("inputs"));
    c.def(
        "freeze",
        [](Bound<T>& p, const Bound<T>* other) {
            p.program.freeze(other ? &other->program : nullptr);
        },
        arg("other"));
    c.def_property_readonly("finite", [](const Bound<T>& p) {
        py::gil_scoped_release release;
        return p.program.finite();
    });
    c.def("profile", [](Bound<T>& p, bool on) { p.program.profile(on); });
    c.def_property_readonly("seconds", [](const Bound<T>& p) {  // by part, once `profile(True)`
        py::dict seconds;
        for (size_t i = 0; p.program.profile() && i < size_t(Part::count); ++i)
            seconds[kPartNames[i]] = p.program.profile()->seconds[i];
        return seconds;
    });
    c.def("outputs", [](const Bound<T>& p, int64_t rows) {  // of the last batch
        py::array_t<T> out({std::min(rows, p.program.max_rows()), p.program.output_cols()});
        std::copy_n(p.program.outputs(), out.size(), out.mutable_data());
        return out;
    });
}

}  // namespace

void bind_program(py::module_& m) {
    define<float>(m, "Program32");
    define<double>(m, "Program64");
}

}  // namespace fastnn
