"""What a fit from moments is made of: folds, leaving rows out, predictions, what it can say of itself."""
