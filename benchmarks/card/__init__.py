"""The parts of benchmarks/gpu.py, each a module with a function ``items``.

``items(size)`` returns what there is to do, by name: functions that take the seconds
they should last and return what they found, as JSON. ``size`` is full or tiny.
"""
