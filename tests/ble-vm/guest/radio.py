"""The guest's Bluetooth: a bus, virtual controllers on one air, and BlueZ's daemon, which stories may restart.

What can go wrong: anything of the system; a story that meets it fails with the daemon's last words.
"""

import re
import subprocess
import time
from pathlib import Path

CONTROLLERS = 4
PATIENCE = 60
SETTINGS = """[General]
ControllerMode = le
DiscoverableTimeout = 0
JustWorksRepairing = always
[GATT]
Cache = no
Channels = {channels}
"""
log = Path("/tmp/log")


# The PSM of ATT with credits (Bluetooth Assigned Numbers), as debugfs writes it.
EATT = "39"


class Failed(Exception):
    """A story does not hold."""


def uptime():
    return float(Path("/proc/uptime").read_text().split()[0])


def until(what, holds, patience=PATIENCE, step=0.05):
    """Waits until something holds, on the guest's clock; a story that waits in vain fails."""
    ends = uptime() + patience
    while True:
        found = holds()
        if found:
            return found
        if uptime() > ends:
            raise Failed(f"{what}: not within {patience} s")
        time.sleep(step)


def start(name, *command, **more):
    log.mkdir(exist_ok=True)
    with open(log / f"{name}.log", "ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, **more)


def said(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr


class Radio:
    """Everything below packmule."""

    def __init__(self):
        self.bus = start("dbus", "dbus-daemon", "--config-file=/etc/dbus-1/sys.conf", "--nofork", "--nopidfile")
        until("the bus", Path("/run/dbus/system_bus_socket").exists)
        self.daemon = None
        self.plug_in()
        self.channels = None

    def plug_in(self):
        self.air = start("btvirt", "btvirt", f"-l{CONTROLLERS}", "-L")
        until("the controllers", Path(f"/sys/class/bluetooth/hci{CONTROLLERS - 1}").exists)

    def pull_out(self):
        """No adapter is left."""
        self.air.kill()
        self.air.wait()
        until("the end of the controllers", lambda: not any(Path("/sys/class/bluetooth").glob("hci*")))

    def serve(self, channels):
        """Starts the daemon, with so many ATT bearers on a connection."""
        if self.daemon and self.channels == channels and self.daemon.poll() is None:
            # A story may have switched one off.
            for number in range(CONTROLLERS):
                self.power(number, on=True)
        else:
            self.start(channels)
        for number in range(CONTROLLERS):
            self.powered(number)

    def start(self, channels):
        self.stop()
        Path("/etc/bluetooth/main.conf").write_text(SETTINGS.format(channels=channels))
        self.daemon = start("bluetoothd", "bluetoothd", "-n", "-E")
        self.channels = channels

    def powered(self, number):
        until(f"hci{number}", lambda: " powered" in said("btmgmt", "--index", str(number), "info").split("current settings:")[-1])

    def power(self, number, on):
        said("btmgmt", "--index", str(number), "power", "on" if on else "off")

    def let_go(self, number):
        """Switches an adapter off, for whoever drives it himself; BlueZ takes it again when it comes back from him."""
        def off():
            self.power(number, on=False)
            told = said("btmgmt", "--index", str(number), "info").split("current settings:")
            return len(told) == 2 and " powered" not in told[1]

        until(f"hci{number} to be let go", off, step=0.2)

    def cut(self, number):
        """Ends every connection of an adapter, as walking away does; they must have been there."""
        if not self.disconnect(number):
            raise Failed(f"hci{number} has no connection to cut")

    @staticmethod
    def disconnect(number):
        index = str(number)
        there = re.findall(r"([0-9A-F:]{17}) type (.*)", said("btmgmt", "--index", index, "con"))
        for address, _ in there:
            said("btmgmt", "--index", index, "disconnect", "-t", "1", address)
        return there

    def supervise(self, number):
        """Ends what an adapter still has with one that fell silent. On the air the supervision timeout does (Core
        Specification, Vol 6, Part B, 4.5.2; Linux asks for 0.42 s); btvirt has none, forgets a connection whose other
        end is reset, and may give its handle to the next one while this end's kernel still has it."""
        print(f"hci{number} was left with", self.disconnect(number))
        until("the end of its connections", lambda: not self.disconnect(number), step=0.2)

    def clear(self):
        """Nobody is connected any more: BlueZ ends a connection two seconds after it was told to, and whoever comes
        meanwhile is cut with it."""
        until("the end of all connections", lambda: not any(map(self.disconnect, range(CONTROLLERS))), step=0.2)

    @staticmethod
    def channels_of_ours():
        """L2CAP channels with credits that are open and not ATT's."""
        return [row for row in Radio.channels() if row[5] != EATT]

    @staticmethod
    def further_bearers():
        """ATT's, beside its first; one that is open has an end in each of two controllers."""
        return len([row for row in Radio.channels() if row[5] == EATT]) // 2

    @staticmethod
    def channels():
        rows = [row.split() for row in Path("/sys/kernel/debug/bluetooth/l2cap").read_text().splitlines()]
        # source (kind) destination (kind) state psm scid dcid imtu omtu security mode
        return [row for row in rows if len(row) == 12 and row[4] == "1" and row[11] in ("128", "129")]

    def stop(self):
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None
