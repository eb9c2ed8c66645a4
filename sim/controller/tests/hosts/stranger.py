"""An agent that nobody here wrote the Bluetooth of: bumble, speaking didcomm-bluetooth by the draft's words alone.

usage: stranger.py TRANSPORT central ADDRESS FILE...   writes each FILE as a message; what comes back goes into FILE.back
       stranger.py TRANSPORT peripheral FILE...        takes a message into FILE.back, then notifies FILE; and so on

TRANSPORT is bumble's word for where its controller is, say tcp-client:127.0.0.1:4460.
"""

import asyncio
import sys
from pathlib import Path

from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address, OwnAddressType
from bumble.transport import open_transport

# The same profile by the same library as in the guest with BlueZ.
sys.path.append(str(Path(__file__).resolve().parents[4] / "tests/ble-vm/guest"))
from bumble_profile import PATIENCE, Central, Inbox, Peripheral  # noqa: E402


async def central(device, address, files):
    await device.power_on()
    connection = await device.connect(Address(address), own_address_type=OwnAddressType.RANDOM, timeout=PATIENCE)
    inbox, kiosk = Inbox(), Central()
    await kiosk.meet(connection, inbox)
    for file in files:
        await kiosk.send(file)
        await inbox.keep(file)
    await connection.disconnect()


async def peripheral(device, files):
    inbox = Inbox()
    kiosk = Peripheral(device, inbox)
    await device.power_on()
    await kiosk.advertise(OwnAddressType.RANDOM)
    for file in files:
        await inbox.keep(file)
        await kiosk.send(file)
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
