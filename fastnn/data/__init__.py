"""Data sets and loaders, with PyTorch's names and meaning."""

from fastnn.data.collate import default_collate
from fastnn.data.dataset import Dataset, Subset, TensorDataset, fetch_batch, random_split
from fastnn.data.loader import DataLoader
from fastnn.data.order import epoch_order

__all__ = [
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "epoch_order",
    "fetch_batch",
    "random_split",
]
