"""Moving dates and times from one zone to another: one offset governs all of an object (PS3.3 C.12.1.1.8)."""

from collections.abc import Container
from datetime import datetime, tzinfo

from pydicom.dataset import Dataset

PAIRS = (("SeriesDate", "SeriesTime"), ("AcquisitionDate", "AcquisitionTime"))
RADIOPHARMACEUTICAL_TIMES = ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStopTime")
RADIOPHARMACEUTICAL_MOMENTS = ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStopDateTime")
ANY_DATE = "20000101"
"""For times without a date: offsets are fixed, so that any day shifts alike."""


def shift_times(dataset: Dataset, copied: Container[str], written_in: tzinfo | None, wanted: tzinfo | None) -> None:
    """Rewrite those times of `dataset` that were `copied` (keywords) from the zone of their source to its own.

    Where either does not say its zone, both are taken to be of one site and stay as they are.
    """
    if written_in is None or wanted is None:
        return
    if written_in.utcoffset(None) == wanted.utcoffset(None):
        return
    for date_keyword, time_keyword in PAIRS:
        if date_keyword in copied and dataset.get(date_keyword) and dataset.get(time_keyword):
            day, clock = _shifted(
                str(dataset[date_keyword].value), str(dataset[time_keyword].value), written_in, wanted
            )
            setattr(dataset, date_keyword, day)
            setattr(dataset, time_keyword, clock)
    for item in dataset.get("RadiopharmaceuticalInformationSequence") or ():
        for keyword in RADIOPHARMACEUTICAL_TIMES:
            if item.get(keyword):
                setattr(item, keyword, _shifted(ANY_DATE, str(item[keyword].value), written_in, wanted)[1])
        for keyword in RADIOPHARMACEUTICAL_MOMENTS:
            value = str(item.get(keyword, "") or "")
            if len(value) >= 14 and not any(sign in value for sign in "+-"):
                setattr(item, keyword, "".join(_shifted(value[:8], value[8:], written_in, wanted)))


def _shifted(day: str, clock: str, written_in: tzinfo, wanted: tzinfo) -> tuple[str, str]:
    whole, _, fraction = clock.partition(".")
    moment = datetime.strptime(f"{day}{whole:0<6}", "%Y%m%d%H%M%S").replace(tzinfo=written_in).astimezone(wanted)
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S") + (f".{fraction}" if fraction else "")
