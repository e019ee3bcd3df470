"""The operations that are methods of `Tensor`: NumPy expressions with their gradients.

Each file holds one class of methods, of which `Tensor` is derived; an operation that PyTorch has as
a function too is also listed in `fastnn/functions.py`.
"""
