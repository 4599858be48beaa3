"""What the node counts, for Prometheus. Labels are few and never identify anybody."""

from prometheus_client import Counter, Gauge, Histogram

INSTANCES_RECEIVED = Counter(
    "dicomnode_instances_received", "Instances that peers handed over, by what became of them", ["outcome"]
)
BYTES_RECEIVED = Counter("dicomnode_received_bytes", "Bytes of data sets that were kept")
RECEIVE_SECONDS = Histogram("dicomnode_receive_seconds", "From the last byte of a data set to its answer")
ASSOCIATIONS = Counter("dicomnode_associations", "Associations that peers asked for, by how they ended", ["outcome"])
REFUSALS = Counter("dicomnode_refusals", "Connections and associations that were refused, by why", ["reason"])
AUDIT_LOST = Counter("dicomnode_audit_lost", "Audit messages that could not be handed on, by where", ["place"])
SERIES_COMPLETED = Counter("dicomnode_series_completed", "Series whose quiet time ended")
CASES = Gauge("dicomnode_cases", "Cases of the ledger, by state", ["state"])
FETCHES = Counter("dicomnode_fetches", "Partners that peers were asked for, by what became of them", ["outcome"])
DELIVERIES = Counter("dicomnode_deliveries", "Attempts to deliver a series, by what became of them", ["outcome"])
HL7_MESSAGES = Counter("dicomnode_hl7_messages", "HL7 messages that came, by how they were answered", ["outcome"])
NOTIFICATIONS = Counter("dicomnode_notifications", "Messages to people, by channel and outcome", ["channel", "outcome"])
OLDEST_REVIEW = Gauge("dicomnode_oldest_review_seconds", "For how long the longest waiting case has been in review")
