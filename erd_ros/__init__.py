"""erd_ros: where people are, in metres, from one RGB camera.

The installed folder is shared with the generated ``erd_ros.msg``; extending the path lets a
source checkout win while the messages still come from the installed package.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
