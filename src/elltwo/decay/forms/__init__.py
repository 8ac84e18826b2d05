"""The forms of weight decay on any stock optimizer, each attached by its step hooks."""
