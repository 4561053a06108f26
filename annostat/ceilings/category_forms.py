"""Closed forms: what two labels, or a published number, say about the best possible model.

With a the agreement of two annotators, ρ their κ, f their F1 on a class of prevalence π and K
classes, the best model's score against one annotator lies between

    accuracy          a   and  [1 + √((K−1)(Ka−1))]/K
    κ                 ρ   and  √ρ
    F1 of a class     f   and  [π + √(π² − (1+π)(π−f))]/(1+π),  below √f; √f where π is not known
    MCC               ρ   and  √ρ;   quadratic κ of grades the same, of quadratic ρ
    AUC            ½+ρ/2  and  ½ + √ρ/(2√3·√(π(1−π))), 1 at most

Below, a second annotator as the model attains them; above, Cauchy and Schwarz (F1 with π: Scarf's
bound of E(p − c)₊ by mean and variance). `Mixture` gives the same from counts of two labels.
"""

from __future__ import annotations

import math


def accuracy_ceiling(agreement: float, n_classes: int = 2) -> float:
    """Return the largest accuracy of any model, from the agreement of two annotators."""
    k = n_classes
    inside = max((k - 1) * (k * agreement - 1), 0.0)
    return max((1 + math.sqrt(inside)) / k, agreement)


def root_ceiling(kappa: float) -> float:
    """Return √κ: the largest κ, MCC or quadratic κ of any model; 0 where κ is negative."""
    return math.sqrt(max(kappa, 0.0))


def f1_ceiling(f1: float, prevalence: float | None = None) -> float:
    """Return the largest F1 of any model, from the F1 of two annotators and the prevalence."""
    if prevalence is None or not 0 < prevalence < 1:
        return math.sqrt(max(f1, 0.0))
    pi = prevalence
    inside = pi * pi - (1 + pi) * (pi - f1)
    return max((pi + math.sqrt(inside)) / (1 + pi), f1) if inside >= 0 else f1


def auc_bracket(kappa: float, prevalence: float) -> tuple[float, float]:
    """Return the least and largest AUC of the best model against one annotator."""
    rho, spread = max(kappa, 0.0), math.sqrt(prevalence * (1 - prevalence))
    if not spread > 0:
        return 0.5, 1.0
    return 0.5 + rho / 2, min(1.0, 0.5 + math.sqrt(rho) / (2 * math.sqrt(3) * spread))
