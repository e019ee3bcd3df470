"""`torch.utils`' place: `fastnn.utils.data` is `fastnn.data`."""

from fastnn.utils import data

__all__ = ["data"]
