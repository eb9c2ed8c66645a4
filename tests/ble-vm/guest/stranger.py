"""An agent that nobody here wrote the Bluetooth of: bumble, speaking didcomm-bluetooth by the draft's words alone.

usage: stranger.py central ADDRESS FILE   writes FILE as a message, and the one that comes back into FILE.back
       stranger.py peripheral FILE        takes a message into FILE.back, and then notifies FILE

The controller is hci2, straight from the kernel: no BlueZ on this side.
"""

import asyncio
import socket
import struct
import sys
from pathlib import Path

from bumble.core import UUID, AdvertisingData
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address, OwnAddressType
from bumble.transport import open_transport

# Some builds of Python do not name what every Linux has.
socket.AF_BLUETOOTH = 31
socket.BTPROTO_HCI = 1

SERVICE = UUID("d2f195b6-2e80-4ab0-be24-32ebe761352f")
WRITE = UUID("c3103ded-afd7-477c-b279-2ad264e20e74")
NOTIFY = UUID("e6e97879-780a-4c9b-b4e6-dcae3793a3e8")
END = b"EOM"
PATIENCE = 60


class Inbox:
    """Values until the end of a message."""

    def __init__(self):
        self.bytes = bytearray()
        self.whole = asyncio.get_running_loop().create_future()

    def heard(self, value):
        if bytes(value) == END:
            if not self.whole.done():
                self.whole.set_result(bytes(self.bytes))
        else:
            self.bytes.extend(value)


def values(message, mtu):
    step = min(mtu - 3, 512)
    return [message[at:at + step] for at in range(0, len(message), step)] + [END]


async def central(device, address, file):
    connection = await device.connect(Address(f"{address}/P"), own_address_type=OwnAddressType.PUBLIC, timeout=PATIENCE)
    peer = Peer(connection)
    mtu = await peer.request_mtu(247)
    await peer.discover_services()
    await peer.discover_characteristics()
    (write,) = peer.get_characteristics_by_uuid(WRITE)
    (notify,) = peer.get_characteristics_by_uuid(NOTIFY)
    inbox = Inbox()
    await peer.subscribe(notify, inbox.heard)
    for value in values(file.read_bytes(), mtu):
        await peer.write_value(write, value, with_response=True)
    print("written", flush=True)
    if "back" in sys.argv:
        file.with_suffix(".back").write_bytes(await asyncio.wait_for(inbox.whole, PATIENCE))
    await connection.disconnect()


async def peripheral(device, file):
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
    await device.start_advertising(own_address_type=OwnAddressType.PUBLIC, advertising_data=data, auto_restart=True)
    print("seen", flush=True)
    file.with_suffix(".back").write_bytes(await asyncio.wait_for(inbox.whole, PATIENCE))
    (connection,) = device.connections.values()
    for value in values(file.read_bytes(), connection.att_mtu):
        await device.notify_subscriber(connection, notify, value)
    print("notified", flush=True)
    await asyncio.sleep(5)
    # btvirt has no supervision timeout: who only went would be taken for being there.
    await connection.disconnect()


async def main():
    async with await open_transport("hci-socket:2") as transport:
        device = Device.from_config_with_hci(DeviceConfiguration(name="stranger"), transport.source, transport.sink)
        if sys.argv[1] == "central":
            await device.power_on()
            await central(device, sys.argv[2], Path(sys.argv[3]))
        else:
            await peripheral(device, Path(sys.argv[2]))


asyncio.run(main())
