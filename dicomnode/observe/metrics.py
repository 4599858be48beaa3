"""What the node counts, for Prometheus. Labels are few and never identify anybody."""

from prometheus_client import Counter, Gauge, Histogram

INSTANCES_RECEIVED = Counter(
    "dicomnode_instances_received", "Instances that peers handed over, by what became of them", ["outcome"]
)
BYTES_RECEIVED = Counter("dicomnode_received_bytes", "Bytes of data sets that were kept")
RECEIVE_SECONDS = Histogram("dicomnode_receive_seconds", "From the last byte of a data set to its answer")
ASSOCIATIONS = Counter("dicomnode_associations", "Associations that peers asked for, by how they ended", ["outcome"])
SERIES_COMPLETED = Counter("dicomnode_series_completed", "Series whose quiet time ended")
CASES = Gauge("dicomnode_cases", "Cases, by state", ["state"])
CASES_FINISHED = Counter("dicomnode_cases_finished", "Cases that ran to an end, by verdict", ["verdict"])
STAGE_SECONDS = Histogram(
    "dicomnode_stage_seconds",
    "Stages of a case",
    ["stage"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
DELIVERIES = Counter("dicomnode_deliveries", "Attempts to deliver a series, by what became of them", ["outcome"])
