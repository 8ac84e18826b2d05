"""Files and frames in: read, plan, encode, moments. Doors: `read`, `plan`, `encode`, `folds`, `datasets`, `moments`."""
