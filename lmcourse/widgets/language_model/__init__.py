"""Interactive figures of chapter 06, the language model."""

from .flow import FlowRound, FlowStage, flow
from .sampling_playground import NextToken, sampling_playground

__all__ = ["FlowRound", "FlowStage", "NextToken", "flow", "sampling_playground"]
