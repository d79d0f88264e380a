"""Figures of the course: interactive ones (`Figure`) and the style of the still ones (`plots`)."""

from .figure import Figure

__all__ = ["Figure"]
