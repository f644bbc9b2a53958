"""What a finished study says, for people. One rule: the store is read, never written, and the same
store gives the same page, byte for byte.

`table` and `findings` are the final table and its warnings as plain data, `build` the page. Only
this package imports matplotlib and jinja2, and only once a page is built.
"""

from hpcvbi.report.findings import Finding, findings
from hpcvbi.report.page import build
from hpcvbi.report.read import Judged, Parameter, judged
from hpcvbi.report.summary import summary
from hpcvbi.report.table import table

__all__ = ["Finding", "Judged", "Parameter", "build", "findings", "judged", "summary", "table"]
