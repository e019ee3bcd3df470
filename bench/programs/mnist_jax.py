"""What `fastnn mnist --epochs 1` does, with JAX: bytes in memory, floats batch by batch."""

import sys
from itertools import pairwise

import idx
import jax
import jax.numpy as jnp
import numpy as np

width = int(sys.argv[1])
rng = np.random.default_rng(0)
(x, y), (x_test, y_test) = (map(jnp.asarray, idx.load(train)) for train in (True, False))


def initial(n_in, n_out):
    bound = n_in**-0.5
    w, b = rng.uniform(-bound, bound, (n_in, n_out)), rng.uniform(-bound, bound, n_out)
    return w.astype(np.float32), b.astype(np.float32)


def outputs(params, images):
    *hidden, (w_last, b_last) = params
    a = images.astype(jnp.float32) / 255
    for w, b in hidden:
        a = jax.nn.relu(a @ w + b)
    return a @ w_last + b_last


def loss_of(params, images, labels):
    log_probs = jax.nn.log_softmax(outputs(params, images))
    return -jnp.take_along_axis(log_probs, labels[:, None], axis=1).mean()


def step(state, x, y, rows):
    params, m, v, t = state
    t = t + 1
    g = jax.grad(loss_of)(params, x[rows], y[rows])
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    rate, scale = 1e-3 / (1 - 0.9**t), (1 - 0.999**t) ** -0.5
    params = jax.tree.map(lambda p, m, v: p - rate * m / (v**0.5 * scale + 1e-8), params, m, v)
    return params, m, v, t


update = jax.jit(step, donate_argnums=0)
params = [initial(n_in, n_out) for n_in, n_out in pairwise([784, width, width, 10])]
zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
state = (jax.tree.map(jnp.asarray, params), *zeros, jnp.float32(0))
for rows in rng.permutation(len(x)).reshape(-1, 100):
    state = update(state, x, y, rows)
predict = jax.jit(lambda params, images: outputs(params, images).argmax(1))
parts = [predict(state[0], part) for part in jnp.split(x_test, 10)]
accuracy = (jnp.concatenate(parts) == y_test).mean()
print(f"test accuracy: {100 * float(accuracy):.2f} %")
