"""What `annostat` alone prints: the commands by what they are about, one line each."""

from __future__ import annotations

# What a command answers, in the order of the page.
ABOUT = {
    "Labels": {
        "bounds": "the best RMSE, MAE, r, R² or F1 that any model can show",
        "fit-afd": "the same for a picked frame or slice (whole numbers)",
        "masks": "the same for outlines: Dice, IoU, distances",
        "points": "the same for landmarks: radial errors, success rates",
        "findings": "the same for detections and events: F1, FROC",
        "merge": "one label from several: majority, Dawid and Skene",
    },
    "Models": {
        "score": "is my model there? its error against the unseen truth",
        "interchange": "is my model as good as an annotator?",
        "concentration": "does the error sit in a few items?",
        "scaling": "would a larger model help?",
    },
    "Study": {
        "plan": "how many items and annotations do I need?",
        "audit": "which clips and labels are broken?",
        "report": "one page with all of the above, to send",
        "app": "the same in your browser, on this computer only",
        "selftest": "does this installation give the certified numbers?",
    },
}
SUMMARIES = {name: text for group in ABOUT.values() for name, text in group.items()}


def front(commands: list[str]) -> str:
    """Return the page: of these commands, those without a line of their own stand last."""
    lines = [
        "annostat: how noisy are the labels, and how good can any model look",
        "against them?",
        "",
        "Usage   annostat COMMAND TABLE [options]        annostat COMMAND --help",
        "",
    ]
    groups = [*ABOUT.items(), ("More", {c: "" for c in commands if c not in SUMMARIES})]
    for word, about in groups:
        for name, text in about.items():
            if name in commands:
                lines.append(f"{word:<8}{name:<15}{text}".rstrip())
                word = ""
    return "\n".join([*lines, "", "Try     annostat fit-afd --example lidc"])
