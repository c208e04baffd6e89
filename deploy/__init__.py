"""What assembles the parts on servers. Nothing imports it."""
