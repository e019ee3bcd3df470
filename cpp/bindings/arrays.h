// The one gate between NumPy and the kernels, and the only file that knows NumPy.
//
// What passes is a pointer to aligned, native, contiguous values of the right type and shape.
// Inputs of another layout (strided, byte-swapped, misaligned) are copied; another kind of number
// is a TypeError, another shape a ValueError. Outputs are written in place and must fit exactly.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fastnn {

namespace py = pybind11;
using Shape = std::vector<int64_t>;

inline std::string text(const Shape& shape) {
    std::string s = "(";
    for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
    return s + (shape.size() == 1 ? ",)" : ")");
}

inline Shape shape_of(const py::array& a) { return Shape(a.shape(), a.shape() + a.ndim()); }

// An array that passed the gate, kept alive with the pointer into it; null where there is none.
template <class T>
struct Values {
    py::array keep = py::reinterpret_steal<py::array>(py::handle());
    T* data = nullptr;
    Shape shape = {};
    int64_t size() const {
        int64_t n = 1;
        for (int64_t d : shape) n *= d;
        return n;
    }
};

// A matrix whose rows and columns may be strided: what a product can read in place.
template <class T>
struct Strided {
    py::array keep;
    T* data;
    int64_t rows, cols, row, col;
};

constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;

// What an array is copied to where it is not that already. NumPy aligns only if asked to.
template <class T>
using Contiguous = py::array_t<T, py::array::c_style | py::array::forcecast | kAligned>;

class Gate {
  public:
    explicit Gate(const char* function) : function_(function) {}

    // Calls body(T{}) with the floating-point type of array x: float or double.
    template <class Body>
    auto with_dtype(const char* name, py::handle x, Body&& body) const {
        const int type = array(name, x).dtype().num();
        if (type == py::dtype::of<float>().num()) return body(float{});
        if (type == py::dtype::of<double>().num()) return body(double{});
        throw wrong_type(name, "float32 or float64", array(name, x));
    }

    template <class T>
    Values<const T> input(const char* name, py::handle x) const {
        py::array a = native<T>(name, x);
        if (!(a.flags() & py::array::c_style)) a = Contiguous<T>::ensure(a);
        if (!a) throw py::error_already_set();
        return {a, static_cast<const T*>(a.data()), shape_of(a)};
    }

    template <class T>
    Values<const T> input(const char* name, py::handle x, const Shape& shape) const {
        Values<const T> v = input<T>(name, x);
        if (v.shape != shape) throw wrong_shape(name, text(shape), v.shape);
        return v;
    }

    template <class T>
    Values<const T> input_or_none(const char* name, py::handle x, const Shape& shape) const {
        if (x.is_none()) return {};
        return input<T>(name, x, shape);
    }

    template <class T>
    Values<const T> matrix(const char* name, py::handle x) const {
        Values<const T> v = input<T>(name, x);
        if (v.shape.size() != 2) throw wrong_shape(name, "(rows, columns)", v.shape);
        return v;
    }

    template <class T>
    Strided<const T> strided_matrix(const char* name, py::handle x) const {
        py::array a = native<T>(name, x);
        if (a.ndim() != 2) throw wrong_shape(name, "(rows, columns)", shape_of(a));
        const auto whole = [&](int axis) { return a.strides(axis) % int64_t(sizeof(T)) == 0; };
        if (!whole(0) || !whole(1)) a = Contiguous<T>::ensure(a);
        if (!a) throw py::error_already_set();
        const int64_t item = sizeof(T);
        // A stride along an axis of one element means nothing; 1 is the one kernels know best.
        const int64_t row = a.shape(0) > 1 ? a.strides(0) / item : 1;
        const int64_t col = a.shape(1) > 1 ? a.strides(1) / item : 1;
        return {a,          static_cast<const T*>(a.data()),   a.shape(0),
                a.shape(1), a.shape(0) > 1 ? row : a.shape(1), col};
    }

    template <class T>
    Values<T> output(const char* name, py::handle x, const Shape& shape) const {
        py::array a = array(name, x);
        if (!py::isinstance<py::array_t<T>>(a)) throw wrong_type(name, type_name<T>(), a);
        if (shape_of(a) != shape) throw wrong_shape(name, text(shape), shape_of(a));
        const int need = py::array::c_style | kAligned;
        if ((a.flags() & need) != need || !a.writeable())
            throw std::invalid_argument(where(name) +
                                        "expected a writeable, aligned, C-contiguous array to "
                                        "write to, got one that is not (np.empty makes one)");
        return {a, static_cast<T*>(a.mutable_data()), shape};
    }

    template <class T>
    Values<T> output_or_none(const char* name, py::handle x, const Shape& shape) const {
        if (x.is_none()) return {};
        return output<T>(name, x, shape);
    }

    // Class labels: integers of any width, each in 0 .. classes - 1 or the one to ignore.
    Values<const int64_t> labels(const char* name, py::handle x, int64_t rows, int64_t classes,
                                 std::optional<int64_t> ignored = {}) const {
        return indices(name, x, {rows}, classes, "label", ignored);
    }

    // Integers of any width and byte order in 0 .. limit - 1, or `also` where it is given; `noun`
    // says what one of them is.
    Values<const int64_t> indices(const char* name, py::handle x, const Shape& shape, int64_t limit,
                                  const char* noun, std::optional<int64_t> also = {}) const;

    // Writing where an input is still to be read would give wrong numbers without a word.
    template <class T, class... In>
    void disjoint(const char* name, const Values<T>& out, const In&... in) const {
        if ((overlap(out.keep, in.keep) || ...)) throw shared(name, "apart from the inputs");
    }

    // Element by element an output may be an input, but not a part of it.
    template <class T, class... In>
    void disjoint_or_same(const char* name, const Values<T>& out, const In&... in) const {
        if (((overlap(out.keep, in.keep) && out.data != in.data) || ...))
            throw shared(name, "the same as an input or apart from it");
    }

    std::string where(const char* name) const {
        return function_ + std::string(": ") + name + ": ";
    }

    std::invalid_argument wrong_shape(const char* name, const std::string& expected,
                                      const Shape& got) const {
        return std::invalid_argument(where(name) + "expected shape " + expected + ", got " +
                                     text(got));
    }

    py::type_error wrong_type(const char* name, const std::string& expected,
                              const py::array& got) const {
        return py::type_error(where(name) + "expected " + expected + ", got an array of " +
                              py::str(got.dtype()).cast<std::string>());
    }

  private:
    template <class T>
    static std::string type_name() {
        return py::str(py::dtype::of<T>()).template cast<std::string>();
    }

    py::array array(const char* name, py::handle x) const {
        if (!py::isinstance<py::array>(x))
            throw py::type_error(where(name) + "expected a NumPy array, got " +
                                 Py_TYPE(x.ptr())->tp_name);
        return py::reinterpret_borrow<py::array>(x);
    }

    // x in native byte order and aligned, copied only where it is not.
    template <class T>
    py::array native(const char* name, py::handle x) const {
        py::array a = array(name, x);
        if (a.dtype().num() != py::dtype::of<T>().num()) throw wrong_type(name, type_name<T>(), a);
        if (!py::isinstance<py::array_t<T>>(a) || !(a.flags() & kAligned))
            a = Contiguous<T>::ensure(a);
        if (!a) throw py::error_already_set();
        return a;
    }

    std::invalid_argument shared(const char* name, const char* expected) const {
        return std::invalid_argument(where(name) + "expected an output " + expected +
                                     ", got one that shares memory with an input");
    }

    static bool overlap(const py::array& x, const py::array& y) {
        if (!x || !y) return false;
        const auto [a, a_end] = extent(x);
        const auto [b, b_end] = extent(y);
        return a < b_end && b < a_end;
    }

    // First byte and one past the last.
    static std::pair<const char*, const char*> extent(const py::array& a) {
        const char *first = static_cast<const char*>(a.data()), *last = first;
        for (py::ssize_t i = 0; i < a.ndim(); ++i) {
            if (a.shape(i) == 0) return {first, first};
            const py::ssize_t reach = (a.shape(i) - 1) * a.strides(i);
            (reach < 0 ? first : last) += reach;
        }
        return {first, last + a.itemsize()};
    }

    const char* function_;
};

inline Values<const int64_t> Gate::indices(const char* name, py::handle x, const Shape& shape,
                                           int64_t limit, const char* noun,
                                           std::optional<int64_t> also) const {
    py::array a = array(name, x);
    const char kind = a.dtype().kind();
    if (kind != 'i' && kind != 'u' && kind != 'b')
        throw wrong_type(name, std::string("an integer ") + noun + " for each row", a);
    if (shape_of(a) != shape) throw wrong_shape(name, text(shape), shape_of(a));
    // uint64 beyond int64 wraps to a negative number, which the range below refuses
    if (kind == 'u' && also && *also < 0) also.reset();
    auto v = Contiguous<int64_t>::ensure(a);
    if (!v) throw py::error_already_set();
    const int64_t* values = v.data();
    for (int64_t i = 0; i < v.size(); ++i) {
        if ((values[i] >= 0 && values[i] < limit) || values[i] == also) continue;
        throw std::out_of_range(where(name) + "expected each " + noun + " in 0 .. " +
                                std::to_string(limit - 1) + ", got " + std::to_string(values[i]) +
                                " in row " + std::to_string(i));
    }
    return {v, values, shape};
}

}  // namespace fastnn
