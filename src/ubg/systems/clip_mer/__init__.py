"""clip_mer: a person searched for by text, infrared, colour pencil and sketch, in one CLIP."""
