"""Schedules of the learning rate, with PyTorch's names and rates (`torch.optim.lr_scheduler`)."""

from fastnn.missing import refusal as _refusal
from fastnn.optim.lr_scheduler.cosine import *
from fastnn.optim.lr_scheduler.one_cycle import *
from fastnn.optim.lr_scheduler.plateau import *
from fastnn.optim.lr_scheduler.scheduler import *
from fastnn.optim.lr_scheduler.sequential import *
from fastnn.optim.lr_scheduler.steps import *
from fastnn.optim.lr_scheduler.warm_up import *

__all__ = ["ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR",
           "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "OneCycleLR",
           "ReduceLROnPlateau", "SequentialLR", "StepLR"]  # fmt: skip


def __getattr__(name: str) -> object:
    raise _refusal("fastnn.optim.lr_scheduler", name, __all__)
