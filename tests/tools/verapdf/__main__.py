import sys
from pathlib import Path

from tests.tools.verapdf import check

good, told = check([Path(name) for name in sys.argv[1:]])
print(told, end="")
sys.exit(0 if good else 1)
