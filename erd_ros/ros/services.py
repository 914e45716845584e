"""Every request that a service gets is answered, and none ends the node.

rclpy raises in the service's callback for a lifecycle transition that is not possible in the
present state, and for a parameter of a type that is none; the executor passes that on to whoever
spins. rclpy keeps the callbacks themselves private, so that they cannot be overridden: they are
wrapped where the node's services are public.
"""

import re
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.node import Node

_Callback = Callable[[Any, Any], Any]

# rcl ends its messages with the file and line that raised them.
_PLACES_IN_RCL = re.compile(r", at \S+\.c(?:pp)?:\d+")


def reason_of(error: Exception) -> str:
    """What rcl reports, whole, without the places in its own source."""
    return _PLACES_IN_RCL.sub("", str(error))


def answer_every_request(node: Node) -> None:
    """Wrap the callbacks of the services that the node has now."""
    for service in node.services:
        service.callback = _answering(service.callback, service.srv_name, node.get_logger())


def _answering(callback: _Callback, name: str, logger: Any) -> _Callback:
    def answer(request: Any, response: Any) -> Any:
        try:
            return callback(request, response)
        except Exception as error:
            reason = reason_of(error)
            logger.error(f"a request on {name} is refused: {reason}")
            return _refusal(request, response, reason)

    return answer


def _refusal(request: Any, response: Any, reason: str) -> Any:
    """An answer of the same kind that says no: ``success`` is false in a new one."""
    refused = SetParametersResult(successful=False, reason=reason)
    if isinstance(response, SetParameters.Response):
        missing = len(request.parameters) - len(response.results)
        return SetParameters.Response(results=[*response.results, *[refused] * missing])
    if isinstance(response, SetParametersAtomically.Response):
        return SetParametersAtomically.Response(result=refused)
    return type(response)()
