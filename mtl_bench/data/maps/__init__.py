"""What is made of official pictures and maps: other sizes, canvases, thin lines, normals from depth."""
