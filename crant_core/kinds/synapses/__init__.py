"""The kind `synapses`: single synapses of neurons."""
