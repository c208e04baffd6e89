"""The kind `snap_to_id`: positions moved onto the neurons they are meant for."""
