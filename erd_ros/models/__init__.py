"""The networks and the graph that holds them; PyTorch, for training and export."""
