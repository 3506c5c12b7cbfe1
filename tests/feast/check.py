"""Holds what Feast, DuckDB and pyarrow say of the lake against the daemon's flow log: check.py STORE LAKE FLOW_LOG SUMMARY."""

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
from feast import FeatureStore

store_path, lake, log, summary = sys.argv[1:]
flows = [json.loads(line) for line in Path(log).read_text().splitlines()]
books = json.loads(Path(summary).read_text())
assert books["lake"]["written"] == len(flows) > 400, books["lake"]


def ok(what):
    print(f"ok {what}")


# Any reader: the rows, and the partitions as columns.
table = ds.dataset(lake, format="parquet", partitioning="hive").to_table()
assert table.num_rows == len(flows) and {"date", "hour"} <= set(table.column_names), table.schema
ok("pyarrow reads the partitions")
count = duckdb.sql(f"select predicted, count(*) from read_parquet('{lake}/**/*.parquet', hive_partitioning = true) group by 1").fetchall()
labels = {}
for flow in flows:
    labels[flow["label"]] = labels.get(flow["label"], 0) + 1
assert dict(count) == labels, (count, labels)
ok("DuckDB counts the labels that the daemon counted")

frame = table.to_pandas()
frame["end"] = pd.to_datetime(frame["end"], utc=True)
store = FeatureStore(repo_path=store_path)
assert {view.name for view in store.list_feature_views()} == {"flows", "verdicts"}
ok("feast apply")

# Point in time: as of a moment, the last flow of the source that had ended by then.
rows = frame.sort_values("end")
asked = pd.concat([rows.iloc[::7], rows.tail(5)])[["Src IP", "end"]].rename(columns={"Src IP": "src_ip"})
asked["event_timestamp"] = asked.pop("end") + timedelta(microseconds=1)
asked = asked.drop_duplicates().reset_index(drop=True)
features = ["flows:flow_duration", "flows:fwd_bytes", "flows:fwd_packet_length_std", "verdicts:predicted", "verdicts:score", "verdicts:novel"]
joined = store.get_historical_features(entity_df=asked, features=features).to_df()
assert len(joined) == len(asked)
names = {"flow_duration": "Flow Duration", "fwd_bytes": "Total Length of Fwd Packet", "fwd_packet_length_std": "Fwd Packet Length Std", "predicted": "predicted", "score": "score", "novel": "novel"}
compared = 0
for _, row in joined.iterrows():
    known = rows[(rows["Src IP"] == row["src_ip"]) & (rows["end"] <= row["event_timestamp"])]
    last = known[known["end"] == known["end"].max()]
    # Flows that end in the same microsecond are as good as each other.
    same = [all(row[name] == candidate[column] for name, column in names.items()) for _, candidate in last.iterrows()]
    assert any(same), (row, last)
    compared += 1
ok(f"historical features, {compared} moments of {asked['src_ip'].nunique()} sources, are those of the last flow before")
early = pd.DataFrame({"src_ip": [rows.iloc[0]["Src IP"]], "event_timestamp": [rows.iloc[0]["end"] - timedelta(seconds=1)]})
nothing = store.get_historical_features(entity_df=early, features=features).to_df()
assert nothing["flow_duration"].isna().all(), nothing
ok("nothing is known before it has ended")

# Online: what the daemon computed of each source's last flow.
store.materialize(datetime.now(timezone.utc) - timedelta(hours=2), datetime.now(timezone.utc) + timedelta(minutes=1))
sources = sorted({flow["src_ip"] for flow in flows})
online = store.get_online_features(features=features, entity_rows=[{"src_ip": source} for source in sources]).to_dict()
by_source = {}
for flow in flows:
    by_source.setdefault(flow["src_ip"], []).append(flow)
logged = {"flow_duration": "flow_duration", "fwd_bytes": "total_length_of_fwd_packet", "fwd_packet_length_std": "fwd_packet_length_std", "predicted": "label", "novel": "novel"}
for at, source in enumerate(sources):
    last = rows[rows["Src IP"] == source]["end"].max()
    ends = set(rows[(rows["Src IP"] == source) & (rows["end"] == last)]["community_id"])
    candidates = [flow for flow in by_source[source] if flow["community_id"] in ends]
    told = {name: online[name][at] for name in logged}
    assert any(all(told[name] == flow[key] for name, key in logged.items()) for flow in candidates), (source, told, candidates)
ok(f"online features of {len(sources)} sources are what the daemon computed")
