"""A network laboratory in namespaces, for `./run` and the system tests."""

from .lab import Capture, Lab, LabError, Pings, Process, wait_until

__all__ = ["Capture", "Lab", "LabError", "Pings", "Process", "wait_until"]
