"""The student: its layers, its loss, one step of training, masks of a clip, its weights."""
