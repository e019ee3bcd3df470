"""What programs ask of, and set in, `torch.backends`: no GPU, and nothing to switch."""

from __future__ import annotations

from types import SimpleNamespace

__all__ = ["cuda", "cudnn", "mps"]

mps = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
cuda = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
# results never depend on threads or on timing, so these hold whatever a program sets
cudnn = SimpleNamespace(
    is_available=lambda: False, deterministic=True, benchmark=False, enabled=False
)
