"""Second moments of tables: gathered in one pass, merged, kept in files, preprocessed after the fact."""
