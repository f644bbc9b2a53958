"""What a finished study says, for people. One rule: the store is read, never written, and the same
store gives the same page, byte for byte.

`table` and `findings` are the final table and its warnings as plain data, `build` the page; of a
choice between models, `verdicts` and `build_choice`. Only this package imports matplotlib and
jinja2, and only once a page is built.
"""

from hpcvbi.report.choice_page import build_choice
from hpcvbi.report.findings import Finding, findings
from hpcvbi.report.page import build
from hpcvbi.report.read import Judged, Parameter, judged
from hpcvbi.report.summary import summary
from hpcvbi.report.table import table
from hpcvbi.report.verdict import Verdict, verdicts

__all__ = [
    "Finding",
    "Judged",
    "Parameter",
    "Verdict",
    "build",
    "build_choice",
    "findings",
    "judged",
    "summary",
    "table",
    "verdicts",
]
