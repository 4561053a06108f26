"""What a student learns from: clips, teachers, and which frames are seen when."""
