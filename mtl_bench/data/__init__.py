"""Official files in, packed arrays on disk, decoded batches on the device."""
