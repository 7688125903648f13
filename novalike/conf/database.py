"""[database]: where a cell's tables are (cell1), and how connections are kept."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "database"

OPTIONS = [
    cfg.StrOpt("connection", default="sqlite:///$state_path/novalike.sqlite", secret=True, help=(
        "URL of the database, such as mysql+pymysql://user:password@host/novalike (a target), sqlite:////path (one "
        "process only) or postgresql+psycopg://..."
    )),
    cfg.IntOpt("max_pool_size", default=20, min=1, help=(
        "Connections which a process keeps open for writing, and as many for reading, once that many were needed together. "
        "(oslo.db: 5, of which a busy process opens and closes further ones all the time.)"
    )),
    cfg.IntOpt("max_overflow", default=50, min=0, help="Connections beyond those, opened when needed and closed after use."),
    cfg.IntOpt("connection_recycle_time", default=3600, min=1, help="Seconds after which a connection is made anew."),
    cfg.FloatOpt("patience", default=10.0, min=0.0, help=(
        "Seconds for which a caller waits for a database that refuses or loses connections before it fails."
    )),
]
