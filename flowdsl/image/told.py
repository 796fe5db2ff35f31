"""What a picture's file says of itself: the XMP packet in it, as far as it is one of ours."""

from __future__ import annotations

import re
from html import unescape

_PACKET = re.compile(rb"<\?xpacket begin=.*?<\?xpacket end=", re.DOTALL)
_VALUE = re.compile(r"<(xmp|Iptc4xmpExt|flowdsl):(\w+)>([^<]*)</\1:\2>")


def told(content: bytes) -> dict[str, str]:
    """The values by their names (`flowdsl:flow`, `Iptc4xmpExt:AISystemUsed`); none where the file says nothing, or is
    signed by somebody else. Anybody can write such values: they prove nothing."""
    for found in _PACKET.finditer(content):
        values = {f"{prefix}:{name}": unescape(value) for prefix, name, value in _VALUE.findall(_text(found[0]))}
        if values.get("xmp:CreatorTool") == "flowdsl":
            return values
    return {}


def _text(packet: bytes) -> str:
    return packet.decode("utf-8", "replace")
