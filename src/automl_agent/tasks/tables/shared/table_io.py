"""The reader of tables: one code for training, prediction and serving.

It reads files (`table_files.py`) and gives their columns their types (`table_values.py`).
"""

from table_files import read
from table_values import bounds, encode_target, encode_weights, inspect, typed

__all__ = ("bounds", "encode_target", "encode_weights", "inspect", "read", "typed")
