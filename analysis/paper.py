"""Numbers as published: what the scripts start from, with their sources.

The paper: supplement of "EchoDFKD: Data-Free Knowledge Distillation for Cardiac Ultrasound
Segmentation using Synthetic Data" (Petit, Palluau, Bauer, Dlaska).
"""

from __future__ import annotations

# Section 2. CAMUS reports its intra-annotator SD (points of ejection fraction) and correlation;
# EchoCoTr its RMSE on EchoNet-Dynamic; Batool et al. (2023) a correlation.
CAMUS_SD = 5.7
CAMUS_CORRELATION = 0.801
ECHOCOTR_RMSE = 5.17
BATOOL_CORRELATION = 0.78
# Not in the paper: the number of doubly annotated patients of CAMUS is assumed, that of the
# EchoNet-Dynamic test set is its list's.
CAMUS_N_ASSUMED = 50
ECHONET_TEST_N = 1277
# E|X| of a picked frame, from Laplace fits to the paper's own second round.
AFD = {"ES": 2.0, "ED": 2.4}

# Section 5: minus the slope of log score against log size, training on synthetic and real data.
SLOPES = {
    "synthetic": {"aFD, human": 0.15, "aFD, EchoCLIP": 0.086, "1 − Dice": 0.16, "1 − mIoU": 0.11},
    "real": {"aFD, human": 0.124, "aFD, EchoCLIP": 0.07, "1 − mIoU": 0.067, "1 − Dice": 0.088},
}
LIMIT_PARAMETERS = 1e6  # "we reach a limit in performance around 1M parameters"

# Parameters of the student with B blocks of L layers (models.student computes the same).
PARAMETERS = {
    (1, 1): 5701, (1, 2): 16141, (1, 3): 26581, (1, 4): 37021,
    (2, 1): 39577, (2, 2): 91633, (2, 3): 143689, (2, 4): 195745,
    (3, 1): 174721, (3, 2): 392953, (3, 3): 611185, (3, 4): 829417,
    (4, 1): 714577, (4, 2): 1596937, (4, 3): 2479297, (4, 4): 3361657,
}  # fmt: skip

# Dice on the EchoNet-Dynamic test set, digitised (± 0.001) from the figure in the method's public
# repository; its axis carries no label and reads as ln(1 − Dice); (3, 1) is partly hidden.
DICE_ECHONET = {
    (1, 1): 0.784, (1, 2): 0.776, (1, 3): 0.833, (1, 4): 0.840,
    (2, 1): 0.858, (2, 2): 0.890, (2, 3): 0.890, (2, 4): 0.897,
    (3, 1): 0.901, (3, 2): 0.906, (3, 3): 0.908, (3, 4): 0.908,
    (4, 1): 0.909, (4, 2): 0.911, (4, 3): 0.910, (4, 4): 0.910,
}  # fmt: skip
DICE_LINES = {"DeepLabV3": 0.922, "nnU-Net": 0.929, "SimLVSeg": 0.933, "distillation": 0.9135}

# Table 1: the student on CAMUS, percent, by (blocks, layers).
IOU_CAMUS = {
    (1, 1): 20.68, (2, 1): 68.89, (3, 1): 68.41, (4, 1): 73.37,
    (1, 2): 53.64, (2, 2): 66.44, (3, 2): 70.70, (4, 2): 75.08,
    (1, 3): 58.29, (2, 3): 64.46, (3, 3): 70.09, (4, 3): 72.69,
    (1, 4): 63.63, (2, 4): 49.81, (3, 4): 72.66, (4, 4): 73.56,
}  # fmt: skip
DICE_CAMUS = {
    (1, 1): 29.50, (2, 1): 80.29, (3, 1): 79.95, (4, 1): 83.65,
    (1, 2): 67.58, (2, 2): 78.21, (3, 2): 81.77, (4, 2): 85.21,
    (1, 3): 72.23, (2, 3): 76.20, (3, 3): 81.55, (4, 3): 85.03,
    (1, 4): 76.65, (2, 4): 62.08, (3, 4): 83.23, (4, 4): 84.17,
}  # fmt: skip
SIMLVSEG_CAMUS_DICE = 0.906
