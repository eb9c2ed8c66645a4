"""An agent that nobody here wrote the Bluetooth of: bumble, speaking didcomm-bluetooth by the draft's words alone.

usage: stranger.py TRANSPORT central ADDRESS FILE...   writes each FILE as a message; what comes back goes into FILE.back
       stranger.py TRANSPORT peripheral FILE...        takes a message into FILE.back, then notifies FILE; and so on

TRANSPORT is bumble's word for where its controller is, say tcp-client:127.0.0.1:4460.
"""

import asyncio
import struct
import sys
from pathlib import Path

from bumble.core import UUID, AdvertisingData
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address, OwnAddressType
from bumble.transport import open_transport

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


async def central(device, address, files):
    await device.power_on()
    connection = await device.connect(Address(address), own_address_type=OwnAddressType.RANDOM, timeout=PATIENCE)
    peer = Peer(connection)
    mtu = await peer.request_mtu(247)
    await peer.discover_services()
    await peer.discover_characteristics()
    (write,) = peer.get_characteristics_by_uuid(WRITE)
    (notify,) = peer.get_characteristics_by_uuid(NOTIFY)
    inbox = Inbox()
    await peer.subscribe(notify, inbox.heard)
    for file in files:
        for value in values(file.read_bytes(), mtu):
            await peer.write_value(write, value, with_response=True)
        await inbox.keep(file)
    await connection.disconnect()


async def peripheral(device, files):
    inbox = Inbox()
    writes = Characteristic.Properties.WRITE
    notifies = Characteristic.Properties.NOTIFY | Characteristic.Properties.READ
    write = Characteristic(WRITE, writes, Characteristic.WRITEABLE,
                           CharacteristicValue(write=lambda _, value: inbox.heard(value)))
    notify = Characteristic(NOTIFY, notifies, Characteristic.READABLE, b"")
    device.add_service(Service(SERVICE, [write, notify]))
    await device.power_on()
    data = bytes(AdvertisingData([(AdvertisingData.FLAGS, struct.pack("B", 6)),
                                  (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(SERVICE))]))
    await device.start_advertising(own_address_type=OwnAddressType.RANDOM, advertising_data=data, auto_restart=True)
    for file in files:
        await inbox.keep(file)
        (connection,) = device.connections.values()
        for value in values(file.read_bytes(), connection.att_mtu):
            await device.notify_subscriber(connection, notify, value)
    # Until the other side goes.
    while device.connections:
        await asyncio.sleep(0.1)


async def main():
    where, role, *rest = sys.argv[1:]
    async with await open_transport(where) as transport:
        about = DeviceConfiguration(name="stranger", address=Address("C0:00:00:00:00:09"))
        device = Device.from_config_with_hci(about, transport.source, transport.sink)
        if role == "central":
            await central(device, rest[0], [Path(file) for file in rest[1:]])
        else:
            await peripheral(device, [Path(file) for file in rest])


asyncio.run(main())
