"""The world that is served: built once from the installed navis data, then read from a cache folder."""
