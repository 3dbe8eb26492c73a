"""The autograd engine: nodes, ops, the walk back, recording modes. It knows no op by
name.
"""
