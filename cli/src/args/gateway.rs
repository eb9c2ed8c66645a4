//! The gateway: run it, look through its configuration, show its invitation.
//!
//! Who calls it: the verb of this name. What can go wrong: see [`super`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

const GATEWAY_HELP: &str = "\
A gateway holds messages for people who are not always reachable, and gives them out when they ask. \
It speaks DIDComm over HTTP and WebSocket at one address (routing 2.0, coordinate-mediation 2.0 and \
3.0, message pickup 3.0 and 4.0 with live delivery), and over every link of a node. What it \
acknowledged is on its disk.

The first start makes the home, with a did:peer:2 that names where the gateway is reached; so give \
--public-url then if others reach it under another address than the one it listens on. With --upstream \
and no --public-url that DID names the upstream mediator instead: strangers send there, the gateway \
collects, and its accounts publish the upstream with the gateway as routing key. Without a \
passphrase (--passphrase-file, $PACKMULE_PASSPHRASE) a new home keeps its own in a file that only \
its owner can read, and the gateway starts without anybody.

Examples:
  packmule --home kiosk gateway                              on 127.0.0.1:8080, to try it out
  packmule --home kiosk gateway --listen 0.0.0.0:8080 --public-url http://192.168.1.5:8080/
  packmule --home kiosk gateway --upstream did:peer:2…       collect from a mediator on the internet
  packmule gateway check-config gateway.toml                 what it would be, and what is odd
  curl http://127.0.0.1:8080/                                its DID, its addresses, an invitation
  curl http://127.0.0.1:8080/metrics                         numbers for Prometheus; from elsewhere
                                                             or behind a proxy with the token

In a browser the same address is a page for visitors: the invitation as a QR code, a place to leave \
a message as a file, and a look at what became of one. Scripts may use what it uses:
  curl -H 'Content-Type: application/octet-stream' --data-binary @x.dcem http://127.0.0.1:8080/drop
  curl http://127.0.0.1:8080/messages/ID                     held, carried, collected, expired, …
  curl -O http://127.0.0.1:8080/messages/ID.dcem             a copy, while it is held
packmule gateway accounts, queues and dead-letters ask the gateway that runs on the home; with --json \
for scripts. Operators find queues, links, contacts, storage, dead letters and the live log at /operator, with \
the token of the home (`packmule gateway token`); it goes out in a header only, so use HTTPS or the \
machine itself. The same for scripts, and nothing there changes anything:
  curl -H \"Authorization: Bearer $(packmule --home kiosk gateway token)\" \
http://127.0.0.1:8080/operator/state.json
  /operator/queues.json?after=DID, dead-letters.json, log.json?after=NUMBER

<home>/gateway.toml, or --config FILE; everything may be left out:
  listen = \"0.0.0.0:8080\"
  public-url = \"https://kiosk.example.org/\"
  trusted-proxies = [\"127.0.0.1\"]          # whose X-Forwarded-For tells who comes
  links = [\"tcp://0.0.0.0:4460\"]            # where nodes find it
  discover = false                         # and by multicast DNS
  metrics = true                           # for this machine, and whoever has the token
  scan = true                              # the page that reads and shows codes, /scan
  [tls]                                    # or a proxy in front
  certificate = \"cert.pem\"
  key = \"key.pem\"
  [accounts]
  open = true                              # false: only those of `allow`
  allow = []
  deny = []
  new-per-address = 60                     # an hour; 0: any number
  most = 10000
  bindings = 256                           # DIDs of one account
  [mailboxes]
  keep = \"7d\"
  total = \"1GiB\"
  messages = 1000000
  account = \"64MiB\"                        # bytes of one account
  account-messages = 1000
  sender-messages = 200                    # of one sender in one account
  postgres = \"postgres://user:password@host/database\"   # for several gateways behind one
                                           # address, with copies of one home; else in the home
  postgres-authority = \"ca.pem\"            # that signed its certificate; else the system's
  [limits]
  max-message = \"8MiB\"
  connections = 2048
  connections-per-address = 128
  rate-per-address = 50                    # messages a second; 0: any number
  burst-per-address = 200
  rate-per-sender = 50
  burst-per-sender = 200
  unacked = 64                             # pushes that may wait for one connection
  idle = \"60s\"
  [strangers]
  carry = false                            # messages for nobody here
  total = \"256MiB\"
  answer = false                           # to endpoints that strangers' DIDs name
  forward = false                          # what is carried, to its recipients' endpoints
  [[upstream]]                             # a mediator to collect from; several may follow
  did = \"did:peer:2…\"                     # or its invitation as a URL
  kind = \"auto\"                            # standard, affinidi, push-only
  url = \"https://cloud.example.org/\"       # if not where its DID says
  live = true                              # a socket for new messages, where it offers that
  calls = [\"22:00-05:30\"]                  # only then, in UTC; empty: always
  rate = \"20kB\"                            # a second, both ways; 0: any number
  batch = 10
  poll = \"60s\"                             # longest time between two looks without a socket
  retry = \"15m\"                            # longest time between two tries
  patience = \"60s\"                         # longest wait for an answer
  [mail]                                   # as in node.toml: `packmule run --help`
  address = \"kiosk@example.org\"
  [log]
  level = \"info\"                           # error, warn, info, debug (names DIDs)
  json = false
  [traces]                                 # in a build with `--features otel`
  endpoint = \"http://127.0.0.1:4318\"     # an OpenTelemetry collector, OTLP over HTTP
  share = 1.0                              # of the messages
Each key is a variable too: PACKMULE_GATEWAY_LISTEN, PACKMULE_GATEWAY_LIMITS__MAX_MESSAGE, … Flags \
win over variables, and those over the file.

SIGHUP makes it read the file again: who may have a mailbox (open, allow, deny, new-per-address), the \
rates, metrics and the log's level change at once; what else was changed holds from the next start, \
and a line in the log names it. A file that makes no sense changes nothing. In a terminal SIGHUP says \
that the terminal was closed: then it ends.

With --json it prints one line when it is ready, {\"did\":…,\"http\":…,\"ws\":…,\"pid\":…}. It ends on \
SIGTERM or SIGINT, and tells systemd when it is ready (Type=notify).";

/// `gateway`
#[derive(Args, Debug)]
#[command(after_help = GATEWAY_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    pub(crate) run: GatewayRunArgs,
    #[command(subcommand)]
    pub(crate) verb: Option<GatewayVerb>,
}

/// How it runs.
#[derive(Args, Debug)]
pub(crate) struct GatewayRunArgs {
    /// Listen here, port 0 for any [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The address under which others reach it, if that is another one
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Collect from this mediator, and be reached there; may be given several times
    #[arg(long, value_name = "DID|INVITATION")]
    pub(crate) upstream: Vec<String>,
    /// Read this file [default: gateway.toml in the home, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// What else there is to do with a gateway.
#[derive(Debug, Subcommand)]
pub(crate) enum GatewayVerb {
    /// Read the configuration and say what is wrong with it, with its line; nothing is started
    CheckConfig {
        /// The file [default: gateway.toml in the home, if it is there]
        file: Option<PathBuf>,
    },
    /// List the accounts of the gateway that runs here, and what each holds
    Accounts,
    /// List the accounts for which something waits, the most first
    Queues,
    /// List what ended without having been collected, the latest first
    DeadLetters,
    /// Print the word that opens the operators' side of the gateway's page, and of /operator/*.json
    Token,
    /// Write a copy of the mailboxes (accounts and what is held) to a file, while the gateway runs.
    /// Keys are not in it: keep a copy of the home's keystore too
    Backup {
        /// The file; one that is there is replaced when the new one is whole
        file: PathBuf,
    },
    /// Put the mailboxes back to what they were in a backup. The gateway must not run; what was
    /// there before stays beside it. What was collected since the backup is given out once more
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Print an invitation to ask this gateway for a mailbox, as a URL
    Invite {
        /// Show it as a QR code too
        #[arg(long)]
        qr: bool,
    },
}
