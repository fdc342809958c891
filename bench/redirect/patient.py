"""Lambda's runtime client with a redirect that waits long for its store.

Under valgrind everything takes fifty times as long, and a retry would count as work.
"""

import runpy
from typing import Final

from shared.adapters.dynamodb import lean

_PATIENCE_SECONDS: Final = 300.0

for name in ("_SOCKET_SECONDS", "_CALL_SECONDS"):
    if not hasattr(lean, name):
        raise SystemExit(f"the client's {name} has another name now")
    setattr(lean, name, _PATIENCE_SECONDS)

runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
