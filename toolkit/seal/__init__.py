"""Sealing: a case as a bag that can be checked, signed and re-performed by others.

sealed = seal(case)                 # output/bag/
checks = verify(sealed.bag)         # complete? signed? do the numbers come out again?
"""

from __future__ import annotations

import logging

from toolkit.seal.check import Check
from toolkit.seal.making import Sealed, countersign, seal
from toolkit.seal.payload import Profile
from toolkit.seal.signing import sign
from toolkit.seal.verifying import verify

# What these find in the files of strangers is told by the checks; their own words go nowhere.
for _library in ("pyhanko", "pyhanko_certvalidator", "pypdf"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)

__all__ = ["Check", "Profile", "Sealed", "countersign", "seal", "sign", "verify"]
