"""Weight decay in networks: plans, audits, symmetries, laws on optimizers, recipes, monitors. Needs torch."""
