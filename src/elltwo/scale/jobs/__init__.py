"""What a pass is to do, before it starts: the job, its leaves, their identity, and what they take."""
