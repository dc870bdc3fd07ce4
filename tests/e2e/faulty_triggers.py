"""The real triggers process with faults: DIE_AFTER_WRITES=n ends it as by
SIGKILL after its nth write.
"""

from __future__ import annotations

import os

from penstock.triggers.main import main
from tests.e2e.faulty import die_after

if __name__ == "__main__":
    if limit := int(os.environ.get("DIE_AFTER_WRITES", "0")):
        die_after(limit)
    main()
