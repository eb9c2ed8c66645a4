"""An agent that nobody here wrote the Bluetooth of: bumble, speaking didcomm-bluetooth by the draft's words alone.

usage: stranger.py central ADDRESS FILE   writes FILE as a message, and the one that comes back into FILE.back
       stranger.py peripheral FILE        takes a message into FILE.back, and then notifies FILE

The controller is hci2, straight from the kernel: no BlueZ on this side.
"""

import asyncio
import socket
import sys
from pathlib import Path

from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address, OwnAddressType
from bumble.transport import open_transport

from bumble_profile import PATIENCE, Central, Inbox, Peripheral

# Some builds of Python do not name what every Linux has.
socket.AF_BLUETOOTH = 31
socket.BTPROTO_HCI = 1


async def central(device, address, file):
    connection = await device.connect(Address(f"{address}/P"), own_address_type=OwnAddressType.PUBLIC, timeout=PATIENCE)
    inbox, kiosk = Inbox(), Central()
    await kiosk.meet(connection, inbox)
    await kiosk.send(file)
    print("written", flush=True)
    if "back" in sys.argv:
        await inbox.keep(file)
    await connection.disconnect()


async def peripheral(device, file):
    inbox = Inbox()
    kiosk = Peripheral(device, inbox)
    await device.power_on()
    await kiosk.advertise(OwnAddressType.PUBLIC)
    print("seen", flush=True)
    await inbox.keep(file)
    connection = await kiosk.send(file)
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
