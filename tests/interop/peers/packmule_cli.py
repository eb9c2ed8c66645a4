"""The packmule command line behind the same calls as a foreign peer's job.

The command line chooses keys by itself, from the documents and secrets that it is given, so a
job that names a key is put to it as documents and secrets with just that key.
"""
import json, pathlib, subprocess, tempfile

TIMEOUT = 60


def filtered(doc, relation, kids):
    return {**doc, relation: [kid for kid in doc[relation] if kid in kids]}


def curve(doc, kid):
    return next(m["publicKeyJwk"]["crv"] for m in doc["verificationMethod"] if m["id"] == kid)


class Packmule:
    """The command line, called once a job."""

    name = "packmule-cli"

    def __init__(self, binary, docs, secrets):
        self.binary, self.docs, self.secrets = binary, docs, secrets

    def call(self, args, docs, secrets, stdin):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "secrets.json").write_text(json.dumps(secrets))
            # A home that does not exist: nothing of the person who runs this may take part.
            command = [self.binary, "--home", str(folder / "home"), *args,
                       "--secrets", str(folder / "secrets.json")]
            for number, doc in enumerate(docs):
                path = folder / f"doc-{number}.json"
                path.write_text(json.dumps(doc))
                command += ["--did-doc", str(path)]
            return subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT, check=False)

    def do(self, todo):
        """As the peers' contract has it; `not_offered` marks kinds that there is no option for."""
        return [self.one(job) for job in todo]

    def one(self, job):
        try:
            if job["op"] == "unpack":
                return {"ok": True, **self.unpack(job["packed"])}
            packed = self.pack(job)
            return {"ok": True, "packed": packed} if packed is not None else {"not_offered": True}
        except Exception as error:  # a refusal is a result; it becomes a cell of the table
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def pack(self, job):
        """The packed message, or raises with the command's words; None: the command has no such option."""
        if job["enc"] not in (None, "A256CBC-HS512"):
            return None
        args, docs = ["pack"], {doc["id"]: doc for doc in self.docs}
        secrets = {kid: self.secrets[kid] for kid in (job["from"], job["sign"]) if kid}
        sender = job["message"]["from"]
        if job["from"]:
            docs[sender] = filtered(docs[sender], "keyAgreement", {job["from"]})
            args += ["--from", sender]
        elif job["to"]:
            args += ["--anon"]
        else:
            args += ["--from", sender]
        if job["sign"]:
            args += ["--sign"]
            docs[sender] = filtered(docs[sender], "authentication", {job["sign"]})
        if job["hide_sender"]:
            args += ["--hide-sender"]
        if job["to"]:
            did, _, fragment = job["to"].partition("#")
            args += ["--to", did]
            wanted = {job["to"]}
            if not fragment:
                crv = curve(docs[sender], job["from"])
                wanted = {kid for kid in docs[did]["keyAgreement"] if curve(docs[did], kid) == crv}
            docs[did] = filtered(docs[did], "keyAgreement", wanted)
        done = self.call(args, docs.values(), secrets, json.dumps(job["message"]).encode())
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}")
        if not done.stdout:
            raise RuntimeError("exit code 0, but nothing was written")
        return done.stdout.decode()

    def unpack(self, packed):
        """`unpack --json`, as the contract has it; raises with the command's words."""
        done = self.call(["unpack", "--json"], self.docs, self.secrets, packed.encode())
        if done.returncode:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise RuntimeError(said or f"exit code {done.returncode}")
        read = json.loads(done.stdout)
        sender, signer = read["sender"], read["signed_by"]
        if "authcrypt" not in read["layers"]:
            # A signature names the sender too; no key encrypted as them.
            if sender != (signer and signer.split("#")[0]):
                raise RuntimeError(f"sender {sender!r}, but signed by {signer!r}")
            sender = None
        return {"message": read["message"], "sender_kid": sender, "signer_kid": signer}
