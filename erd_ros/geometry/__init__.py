"""Camera, root position and alignment: numpy in, numpy out."""
