"""Small convex problems on the Gramian, in NumPy float64 (faster than torch for k ≤ 40 tasks)."""
