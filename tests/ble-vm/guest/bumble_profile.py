"""didcomm-bluetooth over bumble, by the draft's words alone: what its strangers have in common.

Who calls it: `stranger.py` beside this, whose controller is btvirt's, and the one of `sim/controller`, whose controller is
ours. What can go wrong: the other side lacks something, or is silent; then these fail.
"""

import asyncio
import struct

from bumble.core import UUID, AdvertisingData
from bumble.device import Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service

SERVICE = UUID("d2f195b6-2e80-4ab0-be24-32ebe761352f")
WRITE = UUID("c3103ded-afd7-477c-b279-2ad264e20e74")
NOTIFY = UUID("e6e97879-780a-4c9b-b4e6-dcae3793a3e8")
END = b"EOM"
PATIENCE = 120


class Inbox:
    """Values until the end of a message, and messages."""

    def __init__(self):
        self.bytes = bytearray()
        self.whole = asyncio.Queue()

    def heard(self, value):
        if bytes(value) == END:
            self.whole.put_nowait(bytes(self.bytes))
            self.bytes.clear()
        else:
            self.bytes.extend(value)

    async def keep(self, file):
        file.with_suffix(".back").write_bytes(await asyncio.wait_for(self.whole.get(), PATIENCE))


def values(message, mtu):
    step = min(mtu - 3, 512)
    return [message[at:at + step] for at in range(0, len(message), step)] + [END]


class Central:
    """A connection to a device that has the service."""

    async def meet(self, connection, inbox):
        self.peer = Peer(connection)
        self.mtu = await self.peer.request_mtu(247)
        await self.peer.discover_services()
        await self.peer.discover_characteristics()
        (self.write,) = self.peer.get_characteristics_by_uuid(WRITE)
        (notify,) = self.peer.get_characteristics_by_uuid(NOTIFY)
        await self.peer.subscribe(notify, inbox.heard)

    async def send(self, file):
        for value in values(file.read_bytes(), self.mtu):
            await self.peer.write_value(self.write, value, with_response=True)


class Peripheral:
    """A device that has the service."""

    def __init__(self, device, inbox):
        self.device = device
        writes = Characteristic.Properties.WRITE
        notifies = Characteristic.Properties.NOTIFY | Characteristic.Properties.READ
        write = Characteristic(WRITE, writes, Characteristic.WRITEABLE,
                               CharacteristicValue(write=lambda _, value: inbox.heard(value)))
        self.notify = Characteristic(NOTIFY, notifies, Characteristic.READABLE, b"")
        device.add_service(Service(SERVICE, [write, self.notify]))

    async def advertise(self, address_type):
        data = bytes(AdvertisingData([(AdvertisingData.FLAGS, struct.pack("B", 6)),
                                      (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(SERVICE))]))
        await self.device.start_advertising(own_address_type=address_type, advertising_data=data, auto_restart=True)

    async def send(self, file):
        """To the one that is connected; the connection."""
        (connection,) = self.device.connections.values()
        for value in values(file.read_bytes(), connection.att_mtu):
            await self.device.notify_subscriber(connection, self.notify, value)
        return connection
