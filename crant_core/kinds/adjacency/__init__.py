"""The kind `adjacency`: numbers of synapses between neurons, as a sparse matrix."""
