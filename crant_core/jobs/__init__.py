"""What api and worker agree on: what a job is. The database row is the truth; a message is only a hint."""
