"""Which method serves which modalities where nobody names one; measured in `docs/scientists/methods.md`."""

AUTO = "auto"
"""Where a method is named: the one of this page."""

ANATOMY = frozenset({"CT", "MR"})
UPTAKE = frozenset({"PT", "NM"})


def default_method(fixed: str, *moved: str) -> str:
    """A name of `METHODS` for the modalities (CT, MR, PT, NM) of the fixed and the moved volumes.

    Uptake on anatomy is shown in colour (`alpha_blend`): a grey mixture would hide which brightness is uptake. Two
    uptakes likewise. Anatomy with anatomy, anatomy on uptake, and several at once are mixed in grey by `bounded`, which
    keeps most of both on every pair that was measured, and invents no grey level. What has no modality is blended in
    colour.
    """
    if len(moved) > 1 or (fixed in ANATOMY | UPTAKE and moved[0] in ANATOMY):
        return "bounded"
    return "alpha_blend"
