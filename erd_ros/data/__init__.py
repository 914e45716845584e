"""From motion capture to training batches: virtual cameras and the errors of 2D detectors."""
