"""From a configuration to a record: the step, the trainer, evaluation, checkpoints."""
