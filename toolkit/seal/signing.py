"""Signing a PDF report: one field per role on the cover, each signature an incremental update.

The bytes of the report as it was made stay in front, and a further signature leaves earlier ones
valid. Before the first one, a field is laid out for every role, with a tooltip and a place in the
structure tree, so that the signed file still is PDF/A-3a and PDF/UA-1 and later signers need to
change nothing but their own field. The first signature certifies the document: from then on nothing
but signing is allowed.
"""

from __future__ import annotations

import gc
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit import resources
from toolkit.errors import UsageError, did_you_mean
from toolkit.report.render import within_fonts
from toolkit.seal.payload import SIGNED

# The rows of the report's sign-off, as names of fields.
ROLES: Mapping[str, str] = {
    "preparer": "Prepared by",
    "reviewer": "Reviewed by",
    "management": "Accepted by the management",
    "auditor": "Independent reviewer",
}
# Boxes in the empty upper margin of the cover, in points: left edge, pitch, width, lower and upper.
_LEFT, _PITCH, _WIDTH, _LOWER, _UPPER = 51, 124, 119, 797, 831


def sign(
    report: Path,
    key: Path,
    role: str,
    *,
    passphrase: bytes | None = None,
    output: Path | None = None,
) -> Path:
    """Sign a report with a PKCS#12 key in a role; returns the signed file.

    It is written beside the report as `NAME.signed.pdf`, which further signers sign in place.
    Raises UsageError for an unknown role, one that has signed already, or a key that does not open.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign import fields, signers

    if role not in ROLES:
        raise UsageError(f"unknown role {role!r}", field="--role", remedy=did_you_mean(role, ROLES))
    signer = _signer(key, passphrase)
    if output is None:
        output = report if report.name.endswith(SIGNED) else report.with_suffix(SIGNED)
        if output != report and output.exists():
            raise UsageError(
                "it is signed already", path=report, remedy=f"sign {output.name} to add a signature"
            )
    try:
        content = io.BytesIO(report.read_bytes())
        if PdfFileReader(content).encrypted:
            raise UsageError(
                "the PDF is encrypted, which no report is", path=report,
                remedy="give the report as it was written",
            )  # fmt: skip
        state = _fields(content)
        if state.get(role):
            raise UsageError(f"{ROLES[role]}: signed already", path=report, field="--role")
        if role not in state:
            if any(state.values()):
                raise UsageError("it bears a signature of another kind", path=report)
            content = _prepared(content)
        writer = IncrementalPdfFileWriter(content)
        metadata = signers.PdfSignatureMetadata(
            field_name=role,
            md_algorithm="sha256",
            subfilter=fields.SigSeedSubFilter.PADES,
            certify=not any(state.values()),
            docmdp_permissions=fields.MDPPerm.FILL_FORMS,
            reason=ROLES[role],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves the font file open
            signed = signers.PdfSigner(metadata, signer, stamp_style=_style()).sign_pdf(
                writer,
                existing_fields_only=True,
                appearance_text_params={
                    "role": ROLES[role],
                    "name": within_fonts(_name(signer.signing_cert)),
                },
            )
            del writer
            gc.collect()
    except (OSError, PdfError, ValueError, KeyError) as error:
        raise UsageError(
            f"the report cannot be signed: {error}", path=report, remedy="give a report as PDF"
        ) from None
    part = output.with_name(output.name + ".part")
    part.write_bytes(signed.getbuffer())
    part.replace(output)
    return output


def _signer(key: Path, passphrase: bytes | None) -> Any:
    from pyhanko.sign import signers

    try:
        signer = signers.SimpleSigner.load_pkcs12_data(key.read_bytes(), [], passphrase)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the key cannot be opened: {error}", path=key, remedy="check the file and passphrase"
        ) from None
    if signer is None:
        raise UsageError(
            "the key cannot be opened", path=key, remedy="give a PKCS#12 file and its passphrase"
        )
    return signer


def _fields(content: io.BytesIO) -> dict[str, bool]:
    """The signature fields by name, with whether each is signed."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.fields import enumerate_sig_fields

    return {
        name: value is not None for name, value, _ in enumerate_sig_fields(PdfFileReader(content))
    }


def _prepared(content: io.BytesIO) -> io.BytesIO:
    """The document with an empty field for every role, each an element of its structure."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields

    writer = IncrementalPdfFileWriter(content)
    page_ref, _ = writer.find_page_for_modification(0)
    page = page_ref.get_object()
    tree = writer.root["/StructTreeRoot"]
    kids: Any = tree["/K"]
    top_ref = kids.raw_get(0) if isinstance(kids, generic.ArrayObject) else tree.raw_get("/K")
    top = top_ref.get_object()
    numbers = tree["/ParentTree"]["/Nums"]
    number = max((int(numbers.raw_get(at)) for at in range(0, len(numbers), 2)), default=-1)
    for position, (role, label) in enumerate(ROLES.items()):
        left = _LEFT + position * _PITCH
        fields.append_signature_field(
            writer,
            fields.SigFieldSpec(
                role,
                on_page=0,
                box=(left, _LOWER, left + _WIDTH, _UPPER),
                readable_field_name=f"Signature: {label}",
                empty_field_appearance=False,
            ),
        )
        ((_, _, field_ref),) = fields.enumerate_sig_fields(writer, with_name=role)
        field = field_ref.get_object()
        number += 1
        element = writer.add_object(
            generic.DictionaryObject(
                {
                    generic.pdf_name("/Type"): generic.pdf_name("/StructElem"),
                    generic.pdf_name("/S"): generic.pdf_name("/Form"),
                    generic.pdf_name("/P"): top_ref,
                    generic.pdf_name("/Pg"): page_ref,
                    generic.pdf_name("/Alt"): generic.pdf_string(f"Signature: {label}"),
                    generic.pdf_name("/K"): generic.DictionaryObject(
                        {
                            generic.pdf_name("/Type"): generic.pdf_name("/OBJR"),
                            generic.pdf_name("/Obj"): field_ref,
                            generic.pdf_name("/Pg"): page_ref,
                        }
                    ),
                }
            )
        )
        field[generic.pdf_name("/StructParent")] = generic.NumberObject(number)
        top["/K"].append(element)
        numbers.extend([generic.NumberObject(number), element])
    page[generic.pdf_name("/Tabs")] = generic.pdf_name("/S")
    for changed in (top["/K"], numbers, top, page):
        writer.update_container(changed)
    made = io.BytesIO()
    writer.write(made)
    return made


def _style() -> Any:
    from pyhanko.pdf_utils.font.opentype import GlyphAccumulatorFactory
    from pyhanko.pdf_utils.layout import AxisAlignment, InnerScaling, Margins, SimpleBoxLayoutRule
    from pyhanko.pdf_utils.text import TextBoxStyle
    from pyhanko.stamp import TextStampStyle

    font = resources.templates() / "fonts" / "ReportSans-Regular.ttf"
    return TextStampStyle(
        stamp_text="%(role)s\n%(name)s\n%(ts)s",
        background=None,
        border_width=0,
        text_box_style=TextBoxStyle(
            font=GlyphAccumulatorFactory(str(font)), font_size=7, border_width=0
        ),
        inner_content_layout=SimpleBoxLayoutRule(
            x_align=AxisAlignment.ALIGN_MIN,
            y_align=AxisAlignment.ALIGN_MID,
            inner_content_scaling=InnerScaling.SHRINK_TO_FIT,
            margins=Margins.uniform(1),
        ),
    )


def _name(certificate: Any) -> str:
    named = certificate.subject.native
    return str(named.get("common_name") or certificate.subject.human_friendly)
