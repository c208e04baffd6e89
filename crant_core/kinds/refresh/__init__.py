"""The kind `refresh`: what a lab's neurons are now, at the cost of what was edited."""
