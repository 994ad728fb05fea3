"""Travel claims: what people spent, what their fixes say of it, and who decided."""
