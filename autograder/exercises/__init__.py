"""How each lesson's functions are checked: one module a lesson."""
