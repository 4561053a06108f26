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

# Lines in the figure that Dice was digitised from (`annostat.datasets.scaling_points`).
DICE_LINES = {"DeepLabV3": 0.922, "nnU-Net": 0.929, "SimLVSeg": 0.933, "distillation": 0.9135}
# Section 8.
SIMLVSEG_CAMUS_DICE = 0.906
