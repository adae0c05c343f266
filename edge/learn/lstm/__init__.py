"""LSTM networks: trained in numpy, quantised to int8, run by TFLite (thesis 4.3.5).

The door of this room: its two models, and what builds an interpreter of a .tflite file.
"""

from .classifier import Lstm
from .regressor import LstmThesis
from .runtime import NoRuntime, interpreter

__all__ = ["Lstm", "LstmThesis", "NoRuntime", "interpreter"]
