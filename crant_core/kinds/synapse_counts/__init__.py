"""The kind `synapse_counts`: how many partners neurons have."""
