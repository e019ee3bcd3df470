"""A child forked after parallel work trains and predicts, alone and with the same bits."""

from support import force_threads
from test_threads import in_child, train

import fastnn

TIMES, SHORT = 200, 3


def prove(times: int) -> dict[str, object]:
    """Fork so many children, each after the parent's team has worked."""
    force_threads(2)
    expected = train()

    def work() -> bytes:
        assert fastnn.get_num_threads() == 1
        return train()

    for _ in range(times):
        assert train() == expected
        assert in_child(work) == expected
    return {"children": times, "wrong": 0, "hanging": 0}
