"""The chunkedgraph: nodes, times, edits; arrays in memory."""
