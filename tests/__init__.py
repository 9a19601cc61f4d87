"""The tests. A package, so that its helpers have one name from everywhere: tests.sandbox."""
