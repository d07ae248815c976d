"""Ways to tell somebody of an alert: one file each, one line here.

To add one: write a module with its `Channel`, and name that below.
"""

from collections.abc import Mapping

from headrace.channels.base import Channel, Delivery, Means, NotDelivered
from headrace.channels.webhook import WEBHOOK

__all__ = ["CHANNELS", "Channel", "Delivery", "Means", "NotDelivered"]

CHANNELS: Mapping[str, Channel] = {channel.name: channel for channel in (WEBHOOK,)}
