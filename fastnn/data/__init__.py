"""Data sets and loaders, with PyTorch's names and meaning."""

from fastnn.data.collate import default_collate, default_convert
from fastnn.data.concat import ConcatDataset
from fastnn.data.dataset import Dataset, IterableDataset, Subset, TensorDataset, fetch_batch
from fastnn.data.labels import class_weights
from fastnn.data.loader import DataLoader
from fastnn.data.order import epoch_order
from fastnn.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from fastnn.data.scaling import MinMaxScale, Standardize
from fastnn.data.split import random_split, stratified_split

__all__ = [
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "MinMaxScale",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Standardize",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "class_weights",
    "default_collate",
    "default_convert",
    "epoch_order",
    "fetch_batch",
    "random_split",
    "stratified_split",
]
