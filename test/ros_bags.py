"""Bags as `ros2 bag` writes them."""

from rclpy.serialization import serialize_message
from rclpy.time import Time
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

RECORDED_NS = 1_600_000_000_000_000_000
STEP_NS = 50_000_000


def write_bag(path, topics, storage=StoragePlugin.SQLITE3, compression=CompressionMode.NONE):
    """A bag of {topic: messages}; the n-th of each was recorded and stamped at the n-th step."""
    writer = Writer(path, version=9, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        for topic, messages in topics.items():
            kind = type(messages[0])
            name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
            connection = writer.add_connection(topic, name, msgdef=" ", rihs01="RIHS01_0")
            for index, message in enumerate(messages):
                at_ns = RECORDED_NS + index * STEP_NS
                message.header.stamp = Time(nanoseconds=at_ns).to_msg()
                writer.write(connection, at_ns + 1000, serialize_message(message))
    return path
