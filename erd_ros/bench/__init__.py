"""How fast the graph runs on a machine: every backend there, against eager PyTorch and against what
the machine itself allows."""
