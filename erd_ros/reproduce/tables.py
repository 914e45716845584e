"""Every table and figure that `erd reproduce` knows."""

from collections.abc import Callable

from erd_ros.reproduce import abspose_tables, erd_tables
from erd_ros.reproduce.ablations import ablations
from erd_ros.reproduce.limits import estimated_root
from erd_ros.reproduce.page import Report
from erd_ros.reproduce.scoring import Bench

TABLES: dict[str, Callable[[Bench], Report]] = {
    "erd-table-1": erd_tables.table_1,
    "erd-table-2": erd_tables.table_2,
    "erd-table-3": erd_tables.table_3,
    "erd-figure-3": erd_tables.figure_3,
    "pca": erd_tables.pca,
    "absposelifter-table-1": abspose_tables.table_1,
    "absposelifter-table-2": abspose_tables.table_2,
    "absposelifter-table-3": abspose_tables.table_3,
    "ablations": ablations,
    "estimated-root": estimated_root,
}
