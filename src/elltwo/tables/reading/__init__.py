"""Files and frames as Arrow batches: text, Parquet, Arrow, the C stream; and a sample of large ones."""
