"""YAMLs and what was typed become plain data and names; Hydra ends here."""
