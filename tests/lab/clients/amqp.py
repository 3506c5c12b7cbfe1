"""AMQP as services use it: consumers on long connections, publishers on long ones or a new one for each message."""
import argparse
import os
import time

import pika
from common import drawn_size, rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=["consume", "publish", "once"])
parser.add_argument("--host", required=True)
parser.add_argument("--port", type=int, default=5672)
parser.add_argument("--queue", default="work")
parser.add_argument("--think", type=float, default=0.2, help="median seconds between two messages")
parser.add_argument("--size", type=int, default=400, help="median bytes of a message")
parser.add_argument("--count", type=int, default=10**9)
options = parser.parse_args()


def channel():
    connection = pika.BlockingConnection(pika.ConnectionParameters(options.host, options.port, connection_attempts=3, retry_delay=0.5))
    opened = connection.channel()
    opened.queue_declare(options.queue)
    return connection, opened


def publish(opened):
    size = drawn_size(options.size, 200_000)
    opened.basic_publish("", options.queue, os.urandom(size))


if options.what == "consume":
    connection, opened = channel()
    opened.basic_qos(prefetch_count=rng.choice([1, 10]))
    for method, _, _ in opened.consume(options.queue):
        time.sleep(rng.expovariate(1 / 0.02))
        opened.basic_ack(method.delivery_tag)
connection = None
for _ in range(options.count):
    if connection is None:
        connection, opened = channel()
    publish(opened)
    if options.what == "once":
        connection.close()
        connection = None
    think(options.think)
