"""The bucket: what stands at each path, some of it stored, most of it made when asked for."""
