"""All moving series of a plan and the fixed one as one fused image: a Secondary Capture series with geometry."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from pydicom.uid import SecondaryCaptureImageStorage

from fusion.methods.method import Fused
from fusion.quality.report import Verdict

from .colour_pixels import add_colour_pixels
from .derived_series import begin, finish, identify
from .elements import text
from .fused_colour import DERIVATION, SERIES_OFFSET, add_description, pictures
from .geometry import add_plane, require_orthogonal
from .inputs import EncodedSeries, EncodeInputs
from .provenance import add_derivation, derivation_text
from .sources import fixed_sources, moving_sources

KIND = "fused_together"
SEVERITY = (Verdict.ACCEPT, Verdict.REVIEW, Verdict.REJECT)


def fused_together(pairs: Sequence[EncodeInputs], fused: Fused) -> EncodedSeries:
    """One series of all `pairs` of a plan; its verdict is that of the worst of them.

    Raises `EncodeError` for a sheared fixed grid.
    """
    require_orthogonal(fused.grid)
    worst = max(pairs, key=lambda pair: SEVERITY.index(pair.verdict))
    # A place of its own after the pairs: other numbers and UIDs than any of theirs.
    inputs = replace(worst, moving=replace(worst.moving, fused=fused, explanations=()), position=len(pairs))
    modalities = "+".join((*(pair.moving.volume.modality for pair in pairs), inputs.fixed.modality))
    identity = identify(inputs, KIND, SERIES_OFFSET, "OT", SecondaryCaptureImageStorage, f"Fused {modalities}")
    how = text(" ".join(derivation_text(pair) for pair in pairs), 1024)
    moving = zip(*(moving_sources(pair) for pair in pairs), strict=True)
    instances = []
    for index, (picture, nearest, sources) in enumerate(
        zip(pictures(inputs), fixed_sources(inputs), moving, strict=True)
    ):
        dataset = begin(inputs, identity, index)
        add_description(dataset, inputs)
        add_plane(dataset, fused.grid, index)
        add_colour_pixels(dataset, picture)
        add_derivation(dataset, inputs, DERIVATION, fixed=nearest, moving=chain.from_iterable(sources))
        dataset.DerivationDescription = how
        instances.append(dataset)
    return finish(identity, instances)
