"""The operators' path: the token, everything that is shown, and who is turned away."""

import json
import time

import kiosk as people
import looks
from visitors import step


def story(browser, place, shots):
    gateway = people.Gateway(place, LOG__LEVEL="debug", LIMITS__RATE_PER_ADDRESS="0")
    try:
        token = people.packmule(gateway.home, "gateway", "token").decode().strip()
        alice, bob = (people.Person(place, name) for name in ("alice", "bob"))
        turned_away(gateway, token)
        waiting(gateway, alice, bob)
        page = browser.page(gateway.origin)
        let_in(page, token)
        shown(page, gateway, bob, shots)
        live(page, gateway, alice, bob)
        written_by_mallory(page, gateway, alice)
        network_gone(page, gateway, shots)
        left(page)
        page.blameless()
        on_a_phone(browser, gateway, token, shots)
        restarted(browser, gateway, token)
    finally:
        gateway.kill()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def turned_away(gateway, token):
    step("without the token, with a wrong one, or with it in the URL: turned away and counted")
    mode = (gateway.home / "operator-token").stat().st_mode & 0o777
    assert mode == 0o600, oct(mode)
    asked = 0
    for path in ["state.json", "queues.json", "dead-letters.json", "log.json", "nothing.json", "", "../state.json"]:
        status, headers, body = gateway.get(f"/operator/{path}")
        asked += 1
        assert status in (401, 429), (path, status)
        assert b"did:" not in body and headers["Content-Type"] == "application/json"
    for wrong in [{"Authorization": token}, bearer(token[:-1]), bearer("0" * 64), {"Authorization": f"Basic {token}"},
                  {"Cookie": f"token={token}"}]:
        assert gateway.get("/operator/state.json", **wrong)[0] in (401, 429), wrong
        asked += 1
    for query in [f"?token={token}", f"?access_token={token}", f"?Authorization=Bearer%20{token}"]:
        assert gateway.get(f"/operator/state.json{query}")[0] in (401, 429), query
        asked += 1
    hasty = [gateway.get("/operator/state.json", **bearer("x"))[0] for _ in range(30)]
    asked += len(hasty)
    assert hasty[-1] == 429 and set(hasty) <= {401, 429}, hasty
    # Whoever has it is let in all the same.
    status, _, body = gateway.get("/operator/state.json", **bearer(token))
    assert status == 200
    assert json.loads(body)["counts"]["refused"]["no-token"] == asked
    assert f'packmule_refused_total{{reason="no-token"}} {asked}' in gateway.get("/metrics")[2].decode()
    log = json.loads(gateway.get("/operator/log.json", **bearer(token))[2])
    assert any(line["facts"].get("why") == "no-token" for line in log["lines"]), log
    assert token not in json.dumps(log)
    assert gateway.get("/operator/nothing.json", **bearer(token))[0] == 404
    assert gateway.ask("POST", "/operator/state.json", b"{}", **bearer(token))[0] == 404
    for odd in ["?after=-1", "?after=%ff", "?after=99999999999999999999999", "?after=" + "9" * 5000, "?after"]:
        for name in ["log.json", "queues.json"]:
            assert gateway.get(f"/operator/{name}{odd}", **bearer(token))[0] == 200, (name, odd)


def drop(gateway, path):
    return gateway.ask("POST", "/drop", path.read_bytes(), Content_Type="application/octet-stream")


def waiting(gateway, alice, bob):
    for number, person in enumerate((alice, bob)):
        assert drop(gateway, person.ask(gateway, f"mediate{number}", people.MEDIATE, {}))[0] == 200
    for number in range(3):
        letter = alice.letter(f"letter{number}", bob.did, people.TEXT, {"content": "x" * 4000})
        assert drop(gateway, letter)[0] == 200


def let_in(page, token):
    step("a wrong token is told in words, the right one lets in, and is kept in the tab alone")
    page.go("/operator")
    looks.good(page)
    page.says("main", "packmule gateway token")
    page.click("#token")
    page.write("wrong")
    page.key("Enter")
    page.until("document.getElementById('token-hint').classList.contains('bad')")
    page.click("#token")
    page.write(token)
    page.key("Enter")
    page.says("#tiles", "Waiting")
    page.until("document.getElementById('entry').hidden")
    page.go("/operator")
    page.says("#tiles", "Waiting")
    assert page.run("[localStorage.length, document.cookie]") == [0, ""]
    assert token not in page.run("location.href")
    assert not any(token in url for url in page.requests)


def shown(page, gateway, bob, shots):
    step("queues, network, links, storage, refusals, dead letters, log")
    tiles = page.says("#tiles", "Waiting") and page.text("#tiles")
    assert "\n3\n" in tiles, tiles
    page.until("document.querySelectorAll('#queue-rows tbody tr').length === 2")
    dids = page.run("[...document.querySelectorAll('#queue-rows .code')].map((one) => one.title || one.textContent)")
    assert bob.did in dids
    page.says("#network-facts", gateway.did)
    page.says("#storage-facts", "of 1.1 GB")
    page.says("#refusal-rows", "without the token")
    page.says("#lines", "refused")
    page.says("#dead-rows", "None")
    page.says("#link-rows", "None")
    looks.good(page)
    page.picture(shots / "operator.png")
    page.look(dark=True)
    looks.good(page)
    page.picture(shots / "operator-dark.png")
    page.look(dark=False)


def live(page, gateway, alice, bob):
    step("what happens is seen while it happens")
    assert drop(gateway, alice.letter("more", bob.did, people.TEXT, {"content": "x"}))[0] == 200
    page.until("document.querySelector('#tiles strong').textContent === '4'")
    before = page.run("document.querySelectorAll('#lines li').length")
    page.click("#pause")
    torn = gateway.home.parent / "torn.dcem"
    torn.write_bytes(b"{ torn")
    time.sleep(1.1)
    assert drop(gateway, torn)[0] == 400
    page.says("#refusal-rows", "Not to be opened")
    assert page.run("document.querySelectorAll('#lines li').length") == before
    page.click("#pause")
    page.until(f"document.querySelectorAll('#lines li').length > {before}")
    page.says("#lines", "why=unopened")


def written_by_mallory(page, gateway, alice):
    step("what strangers write is text in every place")
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    forged = {"protected": evil, "recipients": [{"header": {"kid": f"did:example:{evil}#k"}, "encrypted_key": "AA"}],
              "iv": "AA", "ciphertext": "AA", "tag": "AA", "id": evil, "type": evil, "from": evil}
    path = gateway.home.parent / "forged.dcem"
    path.write_text(json.dumps(forged))
    assert drop(gateway, path)[0] in (400, 404)
    plain = gateway.home.parent / "plain.dcem"
    plain.write_text(json.dumps({"id": evil, "type": evil, "from": f"did:example:{evil}", "to": [gateway.did], "body": {}}))
    drop(gateway, plain)
    gateway.get("/messages/" + "%3Cscript%3E")
    time.sleep(3)
    assert page.run("document.querySelectorAll('main img, main script').length") == 0


def network_gone(page, gateway, shots):
    step("without a network the page says so, and goes on when there is one")
    page.network(False)
    page.says("#unreached", "cannot be reached")
    assert page.run("document.getElementById('view').hidden") is False
    looks.good(page)
    page.network(True)
    page.until("document.getElementById('unreached').hidden")


def left(page):
    step("who leaves takes the token along")
    page.click("#leave")
    page.until("document.getElementById('view').hidden")
    assert page.run("sessionStorage.length") == 0
    page.go("/operator")
    assert page.run("document.getElementById('entry').hidden") is False


def on_a_phone(browser, gateway, token, shots):
    step("on a phone, in Spanish, dark and light")
    page = browser.page(gateway.origin, size=(360, 740), phone=True, dark=True, language="es")
    page.go("/operator")
    looks.good(page)
    page.picture(shots / "operator-phone-entry.png")
    page.click("#token")
    page.write(token)
    page.key("Enter")
    page.says("#tiles", "En espera")
    page.until("document.querySelectorAll('#queue-rows tbody tr').length === 2")
    looks.good(page)
    page.picture(shots / "operator-phone-dark.png")
    page.look(dark=False)
    looks.good(page)
    page.blameless()


def restarted(browser, gateway, token):
    step("a restart keeps the token, and an open page finds the gateway again")
    page = browser.page(gateway.origin)
    page.go("/operator")
    page.click("#token")
    page.write(token)
    page.key("Enter")
    page.says("#lines", "refused")
    gateway.stop()
    page.says("#unreached", "cannot be reached")
    again = people.Gateway(gateway.home.parent, at=gateway.address, LOG__LEVEL="debug")
    try:
        page.until("document.getElementById('unreached').hidden")
        page.says("#lines", "serving")
        page.blameless()
    finally:
        again.stop()
