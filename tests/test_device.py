"""Where tensors live."""

import pytest
import torch

from rl_lab.utils.common import get_device


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many CUDA devices, and with or without Apple's."""

    def build(cuda, mps):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return build


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(1, True, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_the_fastest_present_device_is_chosen(machine, cuda, mps, chosen):
    machine(cuda, mps)
    assert get_device() == torch.device(chosen)


def test_a_name_is_obeyed(machine):
    machine(cuda=2, mps=True)
    for name in ("cpu", "cuda", "cuda:1", "mps"):
        assert get_device(name) == torch.device(name)
        assert get_device(torch.device(name)) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "xpu", torch.device("cuda")])
def test_a_missing_device_raises(machine, name):
    machine(cuda=0, mps=False)
    with pytest.raises(ValueError, match=r"(cuda|mps|xpu).*not present"):
        get_device(name)


def test_a_missing_index_raises(machine):
    machine(cuda=2, mps=False)
    with pytest.raises(ValueError, match="cuda:2"):
        get_device("cuda:2")


def test_a_name_torch_does_not_know(machine):
    machine(cuda=0, mps=False)
    with pytest.raises(ValueError, match="'gpu' is not a torch device"):
        get_device("gpu")
