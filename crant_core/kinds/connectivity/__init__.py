"""The kind `connectivity`: the partners of neurons, with the numbers of synapses."""
