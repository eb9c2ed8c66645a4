"""The visitor's path: everything a person does on the page, in a real browser."""

import json
import pathlib

import kiosk as people
import looks

LANGUAGES = {"en": "Leave a message", "es": "Dejar un mensaje", "fr": "Déposer un message"}


def story(browser, place, shots):
    gateway = people.Gateway(place)
    try:
        told(gateway)
        alice, bob, carol = (people.Person(place, name) for name in ("alice", "bob", "carol"))
        page = browser.page(gateway.origin)
        invited(page, gateway, shots)
        spoken(browser, gateway)
        mailbox_by_file(page, gateway, bob)
        left = left_and_followed(page, gateway, alice, bob, shots)
        refused(page, place, alice, carol, shots)
        written_by_mallory(page, gateway)
        offline(page, alice, bob)
        collected(page, gateway, bob, left)
        page.blameless()
        on_a_phone(browser, gateway, alice, bob, shots)
        without_a_mouse(browser, gateway)
        gone(page, gateway, shots)
    finally:
        gateway.kill()


def step(words):
    print(f"  {words}", flush=True)


def told(gateway):
    step("programs get data, browsers the page; odd paths lead nowhere")
    status, headers, body = gateway.get("/")
    assert status == 200 and json.loads(body)["did"] == gateway.did
    assert "accept" in headers["Vary"]
    status, headers, body = gateway.get("/", Accept="text/html")
    assert status == 200 and b"<html" in body
    assert "'unsafe" not in headers["Content-Security-Policy"]
    etag = headers["ETag"]
    assert gateway.get("/", Accept="text/html", If_None_Match=etag)[0] == 304
    for path in ["/page/../Cargo.toml", "/page/%2e%2e/x", "//page/style.css", "/page/style.css%00",
                 "/page/" + "x" * 8000, "/drop", "/messages", "/page/words/en.json"]:
        assert gateway.get(path)[0] in (404, 405), path
    for name in ["x", "%ff%fe", "<script>alert(1)</script>".replace(" ", "%20"), "a" * 52 + ".dcem.dcem", "../../keys.sealed"]:
        assert gateway.get("/messages/" + name)[0] == 400, name
    assert gateway.get("/messages/" + "a" * 52)[0] == 404
    assert gateway.ask("POST", "/drop", b"x", Content_Type="text/plain")[0] == 415
    assert gateway.ask("DELETE", "/", None)[0] == 405


def invited(page, gateway, shots):
    step("the invitation, as a code and as a link")
    page.go("/")
    looks.good(page)
    link = page.run("document.getElementById('invitation').value")
    assert link.startswith(gateway.origin) and "_oob=" in link
    page.click("[data-copy=invitation]")
    page.says("[data-copy=invitation]", "Copied")
    page.run("document.querySelector('details').open = true")
    assert gateway.did in page.text("details")
    looks.good(page)
    page.run("document.querySelector('details').open = false")
    page.picture(shots / "visitor.png")
    page.look(dark=True)
    looks.good(page)
    page.picture(shots / "visitor-dark.png")
    page.look(dark=False)
    status, headers, picture = gateway.get("/page/invitation.svg")
    assert status == 200 and headers["Content-Type"] == "image/svg+xml" and b"<path" in picture


def spoken(browser, gateway):
    step("in the browser's language, and in the one that is chosen")
    for language, words in LANGUAGES.items():
        page = browser.page(gateway.origin, language=f"{language}-XX, de;q=0.5")
        page.go("/")
        assert page.run("document.documentElement.lang") == language
        page.says("main", words)
        looks.good(page)
        page.blameless()
    page.go("/#m=" + "b" * 52)
    page.says("#id-hint", "52 lettres et chiffres : de a à z")
    page.go("/#m=" + "b" * 51 + "a")
    page.says("#fate", "pas connu")
    page.click(".languages a[lang=es]")
    page.says("main", LANGUAGES["es"])
    page.says("#fate", "Aquí no se conoce ese mensaje")
    page.blameless()


def mailbox_by_file(page, gateway, bob):
    step("bob asks for a mailbox with a file, and saves the answer as one")
    page.go("/")
    page.choose("#file", bob.ask(gateway, "mediate", people.MEDIATE, {}))
    page.says("#outcomes", "The kiosk has taken it")
    page.click("#outcomes a.button")
    _, answer = page.downloaded("-answer.dcem")
    assert "mediate-grant" in json.dumps(bob.read(answer))


def left_and_followed(page, gateway, alice, bob, shots):
    step("alice leaves a letter, follows it, takes a copy; twice is once")
    letter = alice.letter("hello", bob.did, people.TEXT, {"content": "by the page"})
    page.drag("#drop", letter)
    page.says("#outcomes li", "holds it for its recipient")
    name = page.text("#outcomes li .id").strip()
    assert len(name) == 52
    looks.good(page)
    page.choose("#file", letter)
    page.until("document.querySelectorAll('#outcomes li').length === 3")
    page.says("#outcomes li", "holds it for its recipient")
    assert page.text("#outcomes li .id").strip() == name
    # Told by the page to a person, who writes it in capitals and with spaces.
    page.go("/")
    page.click("#id")
    page.write(" ".join([name[:10].upper(), name[10:30], name[30:]]))
    page.key("Enter")
    page.says("#fate", "It waits here for its recipient")
    page.says("#fate", "Kept until")
    looks.good(page)
    page.picture(shots / "visitor-found.png")
    page.click("#fate a.button")
    saved, packed = page.downloaded(".dcem")
    assert saved == name[:26] + ".dcem"
    assert "by the page" in json.dumps(bob.read(packed))
    return name


def refused(page, place, alice, carol, shots):
    step("what is not taken is told in words")
    torn = pathlib.Path(place) / "torn.dcem"
    torn.write_bytes(b'{"protected": "eyJ0')
    page.go("/")
    page.choose("#file", torn)
    page.says("#outcomes li", "Is it whole?")
    page.choose("#file", alice.letter("nobody", carol.did, people.TEXT, {"content": "x"}))
    page.says("#outcomes li", "nobody who has a mailbox here")
    large = pathlib.Path(place) / "large.dcem"
    with large.open("wb") as file:
        file.truncate(9 << 20)
    page.choose("#file", large)
    page.says("#outcomes li", "8.4 MB at most")
    looks.good(page)
    page.look(dark=True)
    looks.good(page)
    page.picture(shots / "visitor-refused-dark.png")
    page.look(dark=False)
    page.run("document.getElementById('id').value = 'no id'; document.getElementById('seek').requestSubmit()")
    page.says("#id-hint", "52 letters and digits")
    assert page.run("document.activeElement.id") == "id"


def written_by_mallory(page, gateway):
    step("names of files and ids are text, whatever is in them")
    place = pathlib.Path(gateway.home.parent) / "<img src=x onerror=alert(1)>.dcem"
    place.write_bytes(b"{}")
    page.choose("#file", place)
    page.says("#outcomes li .file", "<img src=x onerror=alert(1)>.dcem")
    page.go("/#m=%3Cimg%20src=x%20onerror=alert(1)%3E")
    page.says("#id-hint", "52 letters and digits")
    page.go("/?lang=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&_oob=%3Cb%3E")
    page.says("h1", "Leave a message")
    assert page.run("document.querySelectorAll('main img[src=x], main b, body > script:not([type])').length") == 0


def offline(page, alice, bob):
    step("without a network the letter waits in the page, and goes when there is one")
    page.go("/")
    page.network(False)
    page.choose("#file", alice.letter("later", bob.did, people.TEXT, {"content": "waited"}))
    page.says("#outcomes li", "keep the page open")
    page.run("document.getElementById('id').value = 'a'.repeat(52); document.getElementById('seek').requestSubmit()")
    page.says("#fate", "cannot be reached")
    page.network(True)
    page.says("#outcomes li", "holds it for its recipient")
    page.click("#fate button")
    page.says("#fate", "No such message is known here")


def collected(page, gateway, bob, name):
    step("bob says that he has it, and the page knows")
    word = bob.ask(gateway, "received", people.RECEIVED, {"message_id_list": [name]})
    page.choose("#file", word)
    page.says("#outcomes li", "The kiosk has taken it")
    page.go(f"/#m={name}")
    page.says("#fate", "Its recipient has collected it")
    assert page.run("document.querySelectorAll('#fate a').length") == 0
    assert gateway.get(f"/messages/{name}.dcem")[0] == 404
    metrics = gateway.get("/metrics")[2].decode()
    for series in ['packmule_received_total{door="page"} ', "packmule_copied_total 1",
                   'packmule_refused_total{reason="unopened"} ', 'packmule_refused_total{reason="no-recipient"} 1']:
        assert series in metrics, (series, metrics)


def on_a_phone(browser, gateway, alice, bob, shots):
    step("on a phone, light and dark, in the longest of the languages")
    page = browser.page(gateway.origin, size=(360, 740), phone=True, language="fr")
    page.go("/")
    looks.good(page)
    page.picture(shots / "phone-fr.png")
    page.choose("#file", alice.letter("phone", bob.did, people.TEXT, {"content": "x"}))
    page.says("#outcomes li", "le garde pour son destinataire")
    page.click("#outcomes li .deeds button:nth-child(2)")
    page.says("#fate", "Il attend ici")
    looks.good(page)
    page.look(dark=True)
    looks.good(page)
    page.picture(shots / "phone-fr-dark.png")
    page.blameless()


def without_a_mouse(browser, gateway):
    step("with nothing but keys: everything is reached, in order, and seen to be")
    page = browser.page(gateway.origin)
    page.go("/")
    page.run("document.body.focus()")
    order = []
    for _ in range(14):
        page.key("Tab")
        told = page.run("""(() => {
            const one = document.activeElement;
            if (one === document.body) return null;
            const ring = getComputedStyle(one.id === "file" ? one.nextElementSibling : one);
            return [one.id || one.lang || one.dataset.copy || one.textContent.trim(), ring.outlineStyle !== "none"];
        })()""")
        if told is None:
            break  # past the last one, where the browser's own bar begins
        order.append(told[0])
        assert told[1], f"no ring around {told[0]}"
    for one in ["en", "es", "fr", "file", "id", "Look it up", "invitation", "About this kiosk", "For operators"]:
        assert one in order, (one, order)
    assert [order.index(one) for one in ("file", "id", "invitation")] == sorted(
        order.index(one) for one in ("file", "id", "invitation"))
    assert order[0] == "To the content"


def gone(page, gateway, shots):
    step("a kiosk that is gone is told in words, not by an empty page")
    page.go("/")
    gateway.stop()
    page.run("document.getElementById('id').value = 'c'.repeat(52); document.getElementById('seek').requestSubmit()")
    page.says("#fate", "cannot be reached")
    looks.good(page)
    page.picture(shots / "visitor-gone.png")
