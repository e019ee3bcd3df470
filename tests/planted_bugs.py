"""Plants bugs in a copy of the project, one at a time, and tells which the suite catches.

Run by hand, from the project's folder (`pip install '.[dev]'` brings what it needs):

    python tests/planted_bugs.py              # all of them
    python tests/planted_bugs.py --list
    python tests/planted_bugs.py batch-norm-variance adam-eps

Each bug is one replacement in one file. The tests named with it run first; if they pass, the
whole suite does. A bug that survives is a hole in the suite, and the exit code is 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bug:
    """A replacement that must make a test fail.

    Attributes:
        name: What is wrong.
        file: The file, from the project's folder.
        right: The text that stands there, once.
        wrong: What is put in its place.
        tests: Where it should be caught.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: str


# fmt: off
BUGS = [
    # products
    Bug("product-tail-rows-dropped", "cpp/kernels/gemm.h",
        "const RowTiles tiles(i1 - i0, kTileRows)",
        "const RowTiles tiles(i1 - i0 - (i1 - i0 > 1), kTileRows)",
        "tests/test_gemm.py"),
    Bug("product-tail-columns-dropped", "cpp/kernels/gemm.h",
        "if (whole == end) return;", "if (whole > j0) return;", "tests/test_gemm.py"),
    Bug("tile-beyond-the-last-column", "cpp/kernels/gemm.h",
        "j + width - W >= end", "j + width / 2 >= end", "tests/test_gemm.py"),
    Bug("weight-gradient-transposed", "cpp/bindings/bind_linear.cpp",
        "run<T>({out, in, rows, grad.data, 1, out, input.data, in, 1, result.data, in});",
        "run<T>({out, in, rows, grad.data, 1, out, input.data, in, 1, result.data, 1, out});",
        "tests/test_nn.py"),
    # activations
    Bug("stale-mask", "fastnn/nn/functional/activations.py",
        "y = np.empty(x.shape, x.dtype)",
        'y = _apply.__dict__.setdefault((x.shape, x.dtype), np.empty(x.shape, x.dtype))',
        "tests/test_autograd.py tests/test_nn.py"),
    Bug("tanh-gradient-sign", "cpp/kernels/activations.h",
        "return dy * ((T(1) - y) * (T(1) + y));", "return -dy * ((T(1) - y) * (T(1) + y));",
        "tests/test_nn.py"),
    Bug("leaky-relu-kink", "cpp/kernels/activations.h",
        "return x > Vec<T>{} ? dy : dy * slope.first;",
        "return x >= Vec<T>{} ? dy : dy * slope.first;", "tests/test_activations.py"),
    # losses
    Bug("loss-mean-without-1/N", "fastnn/nn/functional/losses.py",
        "dz, dloss, p, labels, divisor, weight", "dz, dloss, p, labels, 1.0, weight",
        "tests/test_nn.py"),
    Bug("ignored-labels-still-counted", "cpp/kernels/losses.h",
        "if (labels[i] == rule.ignore_index) continue;\n        sum +=", "sum +=",
        "tests/test_nn.py"),
    Bug("cross-entropy-gradient-sign", "cpp/kernels/losses.h",
        "const T at_label = (p[label] - T(1)) * scaled;",
        "const T at_label = (p[label] + T(1)) * scaled;", "tests/test_nn.py"),
    Bug("huber-slope-not-scaled", "cpp/kernels/element_losses.h",
        ".select(d, sign_of<T>(d) * delta)", ".select(d, sign_of<T>(d))", "tests/test_nn.py"),
    # normalisation and dropout
    Bug("running-variance-biased", "cpp/kernels/norm.h",
        "T(momentum * (count / (count - 1)))", "T(momentum)", "tests/test_norm.py"),
    Bug("batch-norm-without-mean-term", "cpp/kernels/norm.h",
        "const Vec<T> level = batch ? sum / count : Vec<T>{};", "const Vec<T> level{};",
        "tests/test_nn.py"),
    Bug("layer-norm-weight-unscaled", "cpp/kernels/norm.h",
        "product += g * ((load_n(x + i, left) - mean[row]) * inverse[row]);",
        "product += g * (load_n(x + i, left) - mean[row]);", "tests/test_nn.py"),
    Bug("dropout-scale-missing", "cpp/kernels/dropout.h",
        "broadcast(kept ? T(1 / (1 - p)) : T(0))", "broadcast(kept ? T(1) : T(0))",
        "tests/test_random.py tests/test_norm.py"),
    Bug("dropout-mask-of-another-draw", "fastnn/nn/functional/dropout.py",
        "_core.dropout(dx, dy, p, seed, draw)", "_core.dropout(dx, dy, p, seed, draw + 1)",
        "tests/test_nn.py tests/test_random.py"),
    # optimizers, schedules, clipping
    Bug("adam-eps-inside-the-root", "cpp/kernels/optim.h",
        "rate * mean / (sqrt<T>(square) * scale + eps)",
        "rate * mean / sqrt<T>(square * scale * scale + eps)", "tests/test_optim.py"),
    Bug("adamw-decay-of-the-step", "cpp/kernels/optim.h",
        "const Vec<T> kept = weights - shrink * weights;",
        "const Vec<T> kept = weights - shrink * mean;", "tests/test_optim.py"),
    Bug("nesterov-looks-back", "cpp/kernels/optim.h",
        "d = nesterov ? d + momentum * u : u;", "d = nesterov ? d + u : u;", "tests/test_optim.py"),
    Bug("step-schedule-late", "fastnn/optim/lr_scheduler/steps.py",
        "self.last_epoch == 0 or self.last_epoch % self.step_size",
        "self.last_epoch == 0 or (self.last_epoch - 1) % self.step_size",
        "tests/test_schedules.py"),
    Bug("clipping-without-eps", "fastnn/nn/utils/clip_grad.py",
        "norm = float(total_norm) + 1e-6", "norm = float(total_norm)", "tests/test_optim.py"),
    # the compiled step
    Bug("packed-tail-rows-dropped", "cpp/kernels/packed.h",
        "for (int64_t t = begin; t < end; ++t)", "for (int64_t t = begin; t + 1 < end; ++t)",
        "tests/test_compiled.py"),
    Bug("last-waiting-step-forgotten", "cpp/kernels/packed.h",
        "make_waiting_step(0);", "", "tests/test_compiled.py"),
    Bug("input-gradient-by-old-weights", "cpp/program/packed_weights.h",
        "if (both_) step.k.transpose_panels(by_inputs_.get(), packed_.get(), in_, out_);", "",
        "tests/test_compiled.py"),
    Bug("mask-of-the-batch-before", "cpp/program/program.cpp",
        "draw + uint64_t(b * program.masks_)", "draw", "tests/test_compiled.py"),
    Bug("second-use-overwrites-the-first", "cpp/program/value.h",
        "if (target->first) target->first->adds_ = true;", "", "tests/test_compiled.py"),
    Bug("state-not-brought-back", "cpp/program/packed_weights.h",
        "k.unpack_panels(flat.state[i] + offset(w_), state_[i].get(), in_, out_);", ";",
        "tests/test_compiled.py"),
    Bug("control-flow-not-noticed", "fastnn/training/lowering.py",
        "if values_were_read():", "if False:", "tests/test_compiled.py"),
    Bug("stale-program", "fastnn/training/compiled.py",
        "found += [p, p._array, p.requires_grad]", "pass", "tests/test_compiled.py"),
    # initial values, shuffles
    Bug("kaiming-bound", "fastnn/nn/init.py",
        'bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_"',
        'bound = math.sqrt(3.2) * _kaiming_std("kaiming_uniform_"', "tests/test_init.py"),
    Bug("shuffle-keeps-the-last-row", "fastnn/data/order.py",
        "    keys.sort()\n", "    keys[:-1].sort()\n", "tests/test_random.py tests/data"),
    # training and files
    Bug("early-stopping-keeps-no-copy", "fastnn/callbacks.py",
        "{name: t.numpy().copy() for name, t in state.items()}",
        "{name: t.numpy() for name, t in state.items()}", "tests/test_callbacks.py"),
    Bug("stale-value-after-a-change", "fastnn/autograd.py",
        "if now[0] != then:", "if now[0] < then:", "tests/test_autograd.py"),
    Bug("checksum-without-the-values", "fastnn/serialization.py",
        "found.update(array.reshape(-1).view(np.uint8).data)", "pass",
        "tests/test_serialization.py"),
    Bug("short-batch-counts-as-a-whole-one", "fastnn/training/eager.py",
        "masses[number - first] / sum(masses)", "1 / len(group)", "tests/test_trainer.py"),
    Bug("mapped-file-read-whole", "fastnn/training/batches.py",
        "Tensor.of(as_stored(values)) for", "Tensor.of(as_stored(values).copy()) for",
        "tests/test_trainer_data.py"),
    Bug("rounded-before-it-is-scaled", "fastnn/training/batches.py",
        "return None if isinstance(module, Standardize | MinMaxScale) else _weight_dtype(model)",
        "return _weight_dtype(model)", "tests/test_trainer_data.py"),
    Bug("statistics-rounded-with-the-model", "fastnn/data/scaling.py",
        "self.dtype = kind  #", "self.dtype = kind; super()._convert(kind)  #",
        "tests/test_scaling.py"),
    Bug("predictions-of-the-model-as-it-was", "fastnn/training/inference.py",
        "if _same(now, self.parts):", "if True:", "tests/test_inference.py"),
    Bug("predictions-by-statistics-of-a-batch", "fastnn/training/lowering.py",
        "if training and self.gradients is None:", "if False:", "tests/test_inference.py"),
    # pictures, reports, warnings
    Bug("confusion-turned-over", "fastnn/confusion.py",
        "rows[among] * len(chosen) + columns[among]", "columns[among] * len(chosen) + rows[among]",
        "tests/test_confusion.py"),
    Bug("field-coloured-by-the-predicted-class", "fastnn/plot/classes.py",
        "np.maximum(support, 1)[:, None]", "np.maximum(support, 1)", "tests/test_pictures.py"),
    Bug("name-read-as-a-formula", "fastnn/plot/classes.py",
        "axes.set_yticks(places, labels, parse_math=False)", "axes.set_yticks(places, labels)",
        "tests/test_pictures.py"),
    Bug("easiest-mistakes-first", "fastnn/report/classes.py",
        "np.argsort(self.shares[wrong", "np.argsort(-self.shares[wrong", "tests/test_report.py"),
    Bug("summary-counts-shared-weights-twice", "fastnn/summary.py",
        "if id(p) not in counted]", "]", "tests/test_summary.py"),
    Bug("summary-draws-random-numbers", "fastnn/training/recording.py",
        "        default_generator.set_state(state)\n", "        pass\n",
        "tests/test_summary.py tests/test_diagnosis.py"),
    Bug("dead-by-one-row", "fastnn/training/diagnosis.py",
        "(table == 0).all(0)", "(table == 0).any(0)", "tests/test_diagnosis.py"),
    Bug("progress-every-batch", "fastnn/training/pulse.py",
        "(now := self.clock()) >= self._next", "(now := self.clock()) >= 0",
        "tests/test_callbacks.py"),
    # tensors
    Bug("std-gradient-nan-at-zero", "fastnn/ops/reductions.py",
        "np.where(out == 0, 0, g / (2 * out))", "g / (2 * out)",
        "tests/torch_parity/test_tensor.py"),
    Bug("row-taken-twice", "fastnn/ops/selection.py",
        "np.add.at(dx, index, g)", "dx[index] = g", "tests/test_tensor.py"),
    Bug("numpy-types-of-two", "fastnn/tensor.py",
        "kind = one if rank[one.kind] > rank[two.kind] else two",
        "kind = np.promote_types(one, two)", "tests/torch_parity/test_tensor.py"),
    Bug("part-of-a-gradient-overwritten", "fastnn/nn/parameter.py",
        "np.asarray(memoryview(memory))", "memory", "tests/test_autograd.py"),
]
# fmt: on


class Copy:
    """The project in a temporary folder, with an extension of its own."""

    def __init__(self, folder: Path) -> None:
        self.root, self.build = folder / "project", folder / "build"
        files = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\n")  # fmt: skip
        for name in filter(None, files):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        pybind11 = subprocess.run(
            [sys.executable, "-m", "pybind11", "--cmakedir"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        self._run(
            "cmake", "-S", self.root, "-B", self.build, "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={sysconfig.get_path('purelib')}",
            f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11}",
        )  # fmt: skip
        self.compile()

    def compile(self) -> None:
        """Build the extension and put it where the package looks for it."""
        self._run("cmake", "--build", self.build)
        for library in self.build.glob("_core*"):
            shutil.copy2(library, self.root / "fastnn" / library.name)

    def fails(self, *tests: str) -> str:
        """The first failing test, or nothing."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider",
             "--tb=no", *tests],
            cwd=self.root, capture_output=True, text=True, check=False, env=_environment(),
        )  # fmt: skip
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return lines[0] if lines else f"pytest: exit code {done.returncode}\n{done.stdout[-500:]}"

    @staticmethod
    def _run(*command: object) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              env=_environment())  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")


def _environment() -> dict[str, str]:
    """This one, with the programs that pip put beside Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def plant(copy: Copy, bug: Bug) -> str:
    """Where the suite catches `bug`, or nothing."""
    path = copy.root / bug.file
    source = path.read_text()
    if source.count(bug.right) != 1:
        raise SystemExit(f"{bug.name}: {bug.file} holds {bug.right!r} "
                         f"{source.count(bug.right)} times, not once")  # fmt: skip
    path.write_text(source.replace(bug.right, bug.wrong))
    try:
        copy.compile()  # what the bug before left in the extension goes, too
        return copy.fails(*bug.tests.split()) or copy.fails()
    finally:
        path.write_text(source)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="bugs to plant; all by default")
    parser.add_argument("--list", action="store_true", help="print the names and exit")
    options = parser.parse_args()
    unknown = set(options.names) - {bug.name for bug in BUGS}
    if unknown:
        parser.error(f"unknown bugs: {', '.join(sorted(unknown))}")
    chosen = [bug for bug in BUGS if not options.names or bug.name in options.names]
    if options.list:
        print("\n".join(f"{bug.name:40s} {bug.file}" for bug in chosen))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for tests in sorted({bug.tests for bug in chosen}):
            if found := copy.fails(*tests.split()):
                raise SystemExit(f"{tests} fails with no bug planted: {found}")
        survivors = 0
        for bug in chosen:
            start = time.perf_counter()
            found = plant(copy, bug)
            survivors += not found
            print(f"{'caught  ' if found else 'SURVIVED'} {bug.name:40s} "
                  f"{time.perf_counter() - start:5.0f} s  {found}", flush=True)  # fmt: skip
    print(f"{len(chosen) - survivors} of {len(chosen)} caught")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
