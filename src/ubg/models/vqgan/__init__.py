"""The VQGAN whose codes are the targets of the generative task (Esser et al. 2021, 2012.09841)."""
