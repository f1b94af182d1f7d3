"""Per-task gradients behind one interface: `flat` (exact rows), `feature` and `last_layer` (one encoder sweep)."""
