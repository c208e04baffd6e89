"""The kind `update_ids`: what became of root ids."""
