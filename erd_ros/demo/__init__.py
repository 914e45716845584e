"""The demo: what is played, the processes that run, and the report. It imports no rclpy.

``run`` starts nodes of ``erd_ros.ros`` as processes of their own; the player and the recorder use
the sources, the bag reader and the recording of this folder.
"""
