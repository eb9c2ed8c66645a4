"""Headless Chromium over a pipe of the DevTools protocol: no port, no library.

A page counts what it must not do: requests to elsewhere, breaches of its own content policy,
uncaught errors. `Page.blameless` says whether there were any.
"""

import base64
import itertools
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # the tests may run as root in a container, which has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
PATIENCE = 60


class Browser:
    """One Chromium with a profile of its own, gone when it is closed."""

    def __init__(self, *flags):
        self.profile = tempfile.mkdtemp(prefix="packmule-page-")
        self.downloads = os.path.join(self.profile, "downloads")
        os.mkdir(self.downloads)
        there_in, here_out = os.pipe()
        here_in, there_out = os.pipe()
        # The browser reads from 3 and writes to 4. Plain sh knows no descriptor above 9.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{there_in} 4>&{there_out}; exec "$@"', "bash", "chromium", *FLAGS, *flags,
             f"--user-data-dir={self.profile}", "about:blank"],
            pass_fds=(there_in, there_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(there_in)
        os.close(there_out)
        self.out = os.fdopen(here_out, "wb", buffering=0)
        self.numbers = itertools.count(1)
        self.answers = {}
        self.arrived = threading.Condition()
        self.pages = {}
        self.ended = False
        threading.Thread(target=self._read, args=(os.fdopen(here_in, "rb"),), daemon=True).start()
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=self.downloads)

    def _read(self, stream):
        kept = b""
        while True:
            some = stream.read1(1 << 20)
            if not some:
                break
            kept += some
            *whole, kept = kept.split(b"\0")
            for text in whole:
                self._hear(json.loads(text))
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def _hear(self, told):
        if "id" in told:
            with self.arrived:
                self.answers[told["id"]] = told
                self.arrived.notify_all()
        elif told.get("sessionId") in self.pages:
            self.pages[told["sessionId"]]._event(told["method"], told["params"])

    def call(self, method, session=None, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.out.write(json.dumps(message).encode() + b"\0")
        with self.arrived:
            self.arrived.wait_for(lambda: number in self.answers or self.ended, PATIENCE)
            answer = self.answers.pop(number, None)
        if answer is None:
            raise AssertionError(f"chromium did not answer {method}")
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def page(self, origin, **looks):
        return Page(self, origin, **looks)

    def close(self):
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab of a fresh profile, with a size, a colour scheme and a language."""

    def __init__(self, browser, origin, size=(1280, 900), phone=False, dark=False, language="en"):
        self.browser, self.origin = browser, origin
        self.requests, self.faults, self.expected = [], [], set()
        self.loads = queue.Queue()
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = browser.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        browser.pages[self.session] = self
        browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=browser.downloads,
                     browserContextId=context)
        for domain in ["Page", "Network", "Runtime", "Log", "DOM"]:
            self.call(f"{domain}.enable")
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.look(dark)
        # A breach is told to the page itself, with what it was.
        self.call("Page.addScriptToEvaluateOnNewDocument", source="""
            addEventListener("securitypolicyviolation", (e) =>
                console.error("POLICY " + e.violatedDirective + " " + e.blockedURI));
        """)

    def look(self, dark, still=True):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                    {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def call(self, method, **params):
        return self.browser.call(method, session=self.session, **params)

    def _event(self, name, params):
        if name == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif name == "Page.loadEventFired":
            self.loads.put(True)
        elif name == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"])[:500])
        elif name == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.faults.append(json.dumps(params["args"])[:500])
        elif name == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            # What the network refused is the story's business.
            if entry["source"] != "network":
                self.faults.append(f"{entry['source']}: {entry['text']}")

    def go(self, path):
        while not self.loads.empty():
            self.loads.get()
        told = self.call("Page.navigate", url=self.origin + path)
        assert "errorText" not in told, told
        # To another place on the same page: nothing is loaded.
        if "loaderId" in told:
            self.loads.get(timeout=PATIENCE)

    def run(self, script):
        """The value of an expression, which may be a promise."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, (script, told["exceptionDetails"])
        return told["result"].get("value")

    def until(self, script, why=None):
        """Waits until an expression is true, and answers its value."""
        before = time.monotonic()
        while True:
            try:
                value = self.run(script)
            except AssertionError as fault:
                # Another page comes while this one was asked.
                if "navigated" not in str(fault):
                    raise
                value = None
            if value:
                return value
            if time.monotonic() - before > PATIENCE:
                raise AssertionError(f"never: {why or script}; page says: {self.text('body')[:2000]}")
            time.sleep(0.05)

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def says(self, selector, words):
        wanted = json.dumps(words)
        chosen = json.dumps(selector)
        return self.until(f"(document.querySelector({chosen})?.innerText ?? '').includes({wanted})",
                          f"{selector} says {words!r}")

    def click(self, selector):
        """As a thumb does: in the middle of what is seen there."""
        place = self.run(f"""(() => {{
            const one = document.querySelector({json.dumps(selector)});
            one.scrollIntoView({{block: "center"}});
            const box = one.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def write(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name):
        code = {"Tab": 9, "Enter": 13, " ": 32}[name]
        text = {"Enter": "\r", " ": " "}.get(name)
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, windowsVirtualKeyCode=code, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def choose(self, selector, *files):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node)

    def drag(self, selector, *files):
        x, y = self.run(f"""(() => {{
            const one = document.querySelector({json.dumps(selector)});
            one.scrollIntoView({{block: "center"}});
            const box = one.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ["dragEnter", "dragOver", "drop"]:
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def network(self, there):
        self.call("Network.emulateNetworkConditions", offline=not there, latency=0,
                  downloadThroughput=-1, uploadThroughput=-1)

    def downloaded(self, ending):
        """The next file that was saved whole, removed from where it was."""
        before = time.monotonic()
        while time.monotonic() - before < PATIENCE:
            for name in os.listdir(self.browser.downloads):
                path = os.path.join(self.browser.downloads, name)
                if name.endswith(ending):
                    with open(path, "rb") as file:
                        body = file.read()
                    os.remove(path)
                    return name, body
            time.sleep(0.05)
        raise AssertionError(f"no file {ending} was saved")

    def picture(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))

    def blameless(self):
        own = (self.origin + "/", "blob:" + self.origin + "/", "about:blank")
        elsewhere = [url for url in self.requests if not url.startswith(own)]
        assert self.requests, "no request was seen"
        assert not elsewhere, f"requests left the host: {elsewhere}"
        assert not self.faults, f"the page complained: {self.faults}"
