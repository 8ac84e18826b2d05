"""Tables of any size: one pass over files, on one machine or a cluster, into mergeable moments."""
