"""Where scientific data comes from: ports in `base`, adapters beside it."""
