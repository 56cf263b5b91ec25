"""What all unit tests share: one thread, no window, and examples that repeat."""

import matplotlib
import pytest
import torch
from hypothesis import settings
from matplotlib import pyplot as plt

torch.set_num_threads(1)
matplotlib.use("agg")
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def style():
    """What a test sets for matplotlib, by the code of a chapter for one, ends with it."""
    with matplotlib.rc_context():
        yield


@pytest.fixture
def axes():
    """Three axes, closed after the test."""
    figure, axes = plt.subplots(3)
    yield axes
    plt.close(figure)
