"""A gRPC server and its clients, without generated code: unary calls, streams from the server, streams in both directions, keepalive.

`serve` is what the part `grpc` starts; `call` makes calls of drawn kinds on a channel that it keeps, or on a new one for each;
`watch` holds a stream on which little comes; `talk` sends and gets messages on one stream.
"""
import argparse
import os
import time
from concurrent import futures

import grpc

from common import drawn_size, rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=["serve", "call", "watch", "talk"])
parser.add_argument("--target", help="clients: HOST:PORT")
parser.add_argument("--port", type=int, default=50051)
parser.add_argument("--period", type=float, default=0.5, help="median seconds between two messages, or calls")
parser.add_argument("--size", type=int, default=300, help="median bytes of a message")
parser.add_argument("--seconds", type=float, default=8, help="median seconds of a channel")
parser.add_argument("--keepalive", type=int, default=0, help="seconds between two pings of HTTP/2; 0: none")
parser.add_argument("--fresh", type=float, default=0.2, help="call: chance that a call gets a channel of its own")
options = parser.parse_args()


def message():
    return os.urandom(drawn_size(options.size, 500_000))


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        return {"Get": grpc.unary_unary_rpc_method_handler(lambda request, context: message()),
                "List": grpc.unary_stream_rpc_method_handler(lambda request, context: (message() for _ in range(rng.randint(2, 30)))),
                "Watch": grpc.unary_stream_rpc_method_handler(self.watch),
                "Put": grpc.stream_unary_rpc_method_handler(lambda requests, context: b"%d" % sum(map(len, requests))),
                "Talk": grpc.stream_stream_rpc_method_handler(lambda requests, context: (message() for _ in requests))}.get(name)

    def watch(self, _, context):
        while context.is_active():
            yield message()
            think(options.period, 0.5, 8)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(64), handlers=[Service()], options=[("grpc.http2.min_ping_interval_without_data_ms", 1000)])
    server.add_insecure_port(f"[::]:{options.port}")
    server.start()
    server.wait_for_termination()


def channel():
    keep = [("grpc.keepalive_time_ms", options.keepalive * 1000), ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    # Without this, channels to one target share one connection.
    return grpc.insecure_channel(options.target, [("grpc.use_local_subchannel_pool", 1), *(keep if options.keepalive else [])])


def call(one, end):
    while time.monotonic() < end:
        used = channel() if rng.random() < options.fresh else one
        kind = rng.random()
        if kind < 0.6:
            used.unary_unary("/lab.Store/Get")(message(), timeout=5)
        elif kind < 0.85:
            for _ in used.unary_stream("/lab.Store/List")(message(), timeout=5):
                pass
        else:
            used.stream_unary("/lab.Store/Put")((message() for _ in range(rng.randint(2, 20))), timeout=5)
        if used is not one:
            used.close()
        think(options.period)


def watch(one, end):
    for _ in one.unary_stream("/lab.Store/Watch")(b"all", timeout=max(1, end - time.monotonic())):
        pass


def talk(one, end):
    def said():
        while time.monotonic() < end:
            yield message()
            think(options.period, 0.5, 8)

    for _ in one.stream_stream("/lab.Store/Talk")(said(), timeout=max(1, end + 2 - time.monotonic())):
        pass


if options.what == "serve":
    serve()
while True:
    with channel() as one:
        try:
            {"call": call, "watch": watch, "talk": talk}[options.what](one, time.monotonic() + rng.lognormvariate(0, 0.5) * options.seconds)
        except grpc.RpcError:
            pass  # The end of a stream's time is one too.
    think(0.3)
