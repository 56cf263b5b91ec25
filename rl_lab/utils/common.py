"""Where tensors live and how many threads work on them."""

import torch


def get_device(name: str | torch.device | None = None) -> torch.device:
    """Return the device called `name`, or the fastest one present.

    Without a name the order is CUDA, then MPS (Apple), then the CPU. For the
    small networks of this book the CPU is often the quickest of the three:
    ``get_device("cpu")`` asks for it.

    Args:
        name: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or None to choose.

    Raises:
        ValueError: if the named device does not exist on this machine. There is
            no silent fallback: a run that was meant for a GPU should say so.
    """
    has_mps = torch.backends.mps.is_available()
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device {name!r} is not a torch device; use 'cpu', 'cuda' or 'mps'"
        ) from error
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(has_mps),
    }.get(device.type, 0)
    if (device.index or 0) >= present:
        raise ValueError(f"device {name!r} is not present here; get_device() picks one that is")
    return device


def use_threads(n: int | None) -> None:
    """Let torch use `n` threads inside one operation, for the whole process.

    One is the fastest for networks of this size: with two, on a busy machine,
    the same update was measured to take five to ten times longer, since the
    threads wait for each other. None leaves torch's setting alone.

    Raises:
        ValueError: if `n` is less than 1.
    """
    if n is None:
        return
    if n < 1:
        raise ValueError(f"threads must be at least 1 (or None to leave torch alone), got {n}")
    if torch.get_num_threads() != n:
        torch.set_num_threads(n)
