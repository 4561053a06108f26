"""The audit of a data set: what the paper's section 1 did by hand, for any folder.

`measuring` decodes and keeps a journal, `signs` are what it measures, `verdicts`, `traces` and
`camus_labels` turn signs and lists into findings, `prompts` sets responses beside noise and error.
"""

from annostat.datasets.audit.findings import REASONS, Finding, Limits
from annostat.datasets.audit.folder import audit_folder
from annostat.datasets.audit.prompts import Association, rank_correlation, read_prompts
from annostat.datasets.audit.result import Audit

__all__ = [
    "REASONS",
    "Association",
    "Audit",
    "Finding",
    "Limits",
    "audit_folder",
    "rank_correlation",
    "read_prompts",
]
