"""What a column is, and what its values become: numbers, codes of levels, dates, features made of them."""
