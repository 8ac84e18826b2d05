"""Read a forward pass: run a model, watch which operation consumes each parameter, leave it as it was."""
