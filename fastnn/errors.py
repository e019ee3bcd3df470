"""The exceptions and warnings that are fastnn's own; everything else is a built-in one."""

__all__ = ["FileFormatError", "GradcheckError", "NonFiniteError", "NotLowerable",
           "TrainingWarning"]  # fmt: skip


class FileFormatError(ValueError):
    """A file is not what it should be: truncated, corrupt, or of another format.

    >>> issubclass(FileFormatError, ValueError)
    True
    """


class NonFiniteError(ArithmeticError):
    """Training diverged: a loss or a weight became NaN or infinite.

    >>> issubclass(NonFiniteError, ArithmeticError)
    True
    """


class GradcheckError(AssertionError):
    """A gradient is not the slope of its function; the message names the worst element.

    >>> issubclass(GradcheckError, AssertionError)
    True
    """


class TrainingWarning(UserWarning):
    """A training that looks like one of the usual mistakes; the message names the cause.

    `Trainer.fit` gives at most one before the training and one after it. To be rid of them:
    `warnings.simplefilter("ignore", fastnn.TrainingWarning)`.

    >>> issubclass(TrainingWarning, UserWarning)
    True
    """


class NotLowerable(RuntimeError):
    """A model, loss or optimizer has no compiled form; the message says what it does not have.

    `fastnn.Trainer(compile="auto")` then trains eagerly, with the same results.

    >>> issubclass(NotLowerable, RuntimeError)
    True
    """
