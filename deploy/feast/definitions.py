"""Entities, views and the source of the feature store: flows of the lake by who began them.

FLOWSHRIKE_LAKE names the lake's folder (`lake.path` of the daemon).
"""

import os
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource
from feast.types import Bool, Float64, Int64, String
from feast.value_type import ValueType

# The columns of the lake, by names that a query can be written with.
MEASURED = {
    "Flow Duration": ("flow_duration", Int64),
    "Total Fwd Packet": ("fwd_packets", Int64),
    "Total Bwd packets": ("bwd_packets", Int64),
    "Total Length of Fwd Packet": ("fwd_bytes", Float64),
    "Total Length of Bwd Packet": ("bwd_bytes", Float64),
    "Fwd Packet Length Max": ("fwd_packet_length_max", Float64),
    "Fwd Packet Length Mean": ("fwd_packet_length_mean", Float64),
    "Fwd Packet Length Std": ("fwd_packet_length_std", Float64),
    "Bwd Packet Length Max": ("bwd_packet_length_max", Float64),
    "Flow Bytes/s": ("flow_bytes_per_second", Float64),
    "Flow IAT Min": ("flow_iat_min", Float64),
    "Fwd Packets/s": ("fwd_packets_per_second", Float64),
    "FIN Flag Count": ("fin_flags", Int64),
    "SYN Flag Count": ("syn_flags", Int64),
    "Down/Up Ratio": ("down_up_ratio", Float64),
}
JUDGED = {"predicted": String, "score": Float64, "attack": Float64, "novelty": Float64, "novel": Bool}

lake = FileSource(
    name="lake",
    path=os.environ.get("FLOWSHRIKE_LAKE", "/var/lib/flowshrike/lake"),
    # A flow is known once it has ended.
    timestamp_field="end",
    field_mapping={"Src IP": "src_ip", **{column: name for column, (name, _) in MEASURED.items()}},
)

source = Entity(name="source", join_keys=["src_ip"], value_type=ValueType.STRING, description="Who began the flow")

flows = FeatureView(
    name="flows",
    entities=[source],
    # Older flows say nothing of what a source does now.
    ttl=timedelta(days=1),
    schema=[Field(name=name, dtype=kind) for name, kind in MEASURED.values()],
    source=lake,
    description="What the last flow of a source was like",
)

verdicts = FeatureView(
    name="verdicts",
    entities=[source],
    ttl=timedelta(days=1),
    schema=[Field(name=name, dtype=kind) for name, kind in JUDGED.items()],
    source=lake,
    description="What the model said of it",
)

training = FeatureService(name="training", features=[flows, verdicts])
