"""Pedestrians drawn by the program, in the file layout of CUHK-PEDES."""
