//! Ways to the server: what is known of it, sessions, and what happens when it is away.
//!
//! What is it: [`Database`] says where it is, [`Line`] keeps one [`Session`] and makes another
//! when it has ended. Called by everything that asks. What can go wrong: the server is away; then
//! whoever asks is told at once, and it is tried again no sooner than after a pause that grows.
//! A session that would not keep what it was told (a standby, `fsync` switched off) is refused.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use packmule_gateway::store::StoreError;
use tokio::sync::mpsc;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Row, Statement};

use crate::fault::{fault, unreachable};
use crate::schema;
use crate::tls::Tls;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one exchange may take: the server ends what takes longer somewhat earlier.
pub(crate) const EXCHANGE: Duration = Duration::from_secs(30);
/// The pause after a failure, at first and at most.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MOST: Duration = Duration::from_secs(5);

/// A gateway that stops in the middle of a transaction holds up all others, for so long. Every
/// statement of ours has an index; statistics of tables that fill and empty are always old, and
/// would have one read whole, or sorted where an index has the order. Compiling such short
/// statements takes longer than running them.
const MANNERS: &str = "
    SET search_path = packmule, pg_temp;
    SET statement_timeout = '20s';
    SET idle_in_transaction_session_timeout = '10s';
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET jit = off;
";

/// Where the database is, and whom to believe about it.
#[derive(Clone)]
pub struct Database {
    config: Config,
    tls: Tls,
    /// How often it was reached.
    reached: Arc<AtomicU64>,
}

impl Database {
    /// From a URL such as `postgres://user:password@host/name`, and authorities as PEM, if not
    /// the system's. Another machine is only spoken to under TLS, unless the URL says
    /// `sslmode=disable`.
    ///
    /// # Errors
    /// It is no such URL, or there is no authority among the bytes. The words name no password.
    pub fn new(url: &str, authorities: Option<&[u8]>) -> io::Result<Self> {
        let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            wrong(format!("this is not the URL of a database: {error}"))
        })?;
        if config.get_hosts().is_empty() {
            return Err(wrong("the URL names no host".to_owned()));
        }
        let near = |host: &Host| match host {
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
            Host::Unix(_) => true,
        };
        if config.get_ssl_mode() == SslMode::Prefer && !config.get_hosts().iter().all(near) {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_application_name().is_none() {
            config.application_name("packmule gateway");
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(EXCHANGE)
            .keepalives_idle(Duration::from_secs(30));
        let tls = Tls::new(authorities)?;
        Ok(Self {
            config,
            tls,
            reached: Arc::default(),
        })
    }

    /// Connects. What the server tells by itself goes into `told`.
    async fn connect(
        &self,
        keeps: Keeps,
        told: Option<mpsc::UnboundedSender<AsyncMessage>>,
    ) -> Result<Client, StoreError> {
        let connecting = self.config.connect(self.tls.clone());
        let late = |_| unreachable("it does not answer");
        let connected = tokio::time::timeout(2 * CONNECT, connecting).await;
        let (client, mut connection) = connected.map_err(late)?.map_err(fault)?;
        // Ends with the client, or with the server.
        tokio::spawn(async move {
            let next = |cx: &mut std::task::Context<'_>| connection.poll_message(cx);
            let mut next = std::pin::pin!(futures_util::stream::poll_fn(next));
            while let Some(Ok(message)) = futures_util::StreamExt::next(&mut next).await {
                // Whoever wanted to hear it may have gone.
                if let Some(told) = &told {
                    let _ = told.send(message);
                }
            }
        });
        client.batch_execute(MANNERS).await.map_err(fault)?;
        keeps.make_sure(&client).await?;
        self.reached.fetch_add(1, Ordering::Relaxed);
        Ok(client)
    }

    /// Looks at the tables, and makes them where there are none; gives a name that nobody has.
    pub(crate) async fn prepare(&self) -> Result<String, StoreError> {
        let mut client = self.connect(Keeps::All, None).await?;
        schema::make(&mut client).await?;
        let name = client.query_one("SELECT gen_random_uuid()::text", &[]);
        Ok(name.await.map_err(fault)?.get(0))
    }

    /// A session that hears what others tell.
    pub(crate) async fn listen(
        &self,
        told: mpsc::UnboundedSender<AsyncMessage>,
    ) -> Result<Client, StoreError> {
        let client = self.connect(Keeps::Little, Some(told)).await?;
        let listen = client.batch_execute("LISTEN packmule_news").await;
        listen.map(|()| client).map_err(fault)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No password, and no user.
        f.debug_struct("Database")
            .field("hosts", &self.config.get_hosts())
            .field("name", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// What is answered for: each commit is on the disk before it is said.
    All,
    /// What the last second before a crash may take along.
    Little,
}

impl Keeps {
    async fn make_sure(self, client: &Client) -> Result<(), StoreError> {
        if self == Self::Little {
            let little = client.batch_execute("SET synchronous_commit = off").await;
            return little.map_err(fault);
        }
        // `remote_apply` is more than `on`: whoever configured it wants it.
        let sql = "SELECT current_setting('synchronous_commit'), current_setting('fsync'),
            pg_is_in_recovery()";
        let told = client.query_one(sql, &[]).await.map_err(fault)?;
        if told.get(2) {
            return Err(StoreError::ReadOnly);
        }
        if told.get::<_, &str>(1) != "on" {
            return Err(StoreError::Broken {
                what: "the database server runs with fsync = off, so that a power cut would \
                    take what was acknowledged: switch it on"
                    .to_owned(),
            });
        }
        if told.get::<_, &str>(0) != "remote_apply" {
            let on = client.batch_execute("SET synchronous_commit = on").await;
            on.map_err(fault)?;
        }
        Ok(())
    }
}

/// A connection, and the statements that were prepared on it.
pub(crate) struct Session {
    client: Client,
    ready: Mutex<HashMap<&'static str, Statement>>,
}

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Session {
    /// The plain connection.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// A statement, prepared when it is asked for the first time. Whoever sends several at once,
    /// in an order that matters, has them ready before.
    pub(crate) async fn ready(&self, sql: &'static str) -> Result<Statement, StoreError> {
        let known = |ready: &Mutex<HashMap<_, Statement>>| {
            let ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.get(sql).cloned()
        };
        if let Some(statement) = known(&self.ready) {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await.map_err(fault)?;
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.ready(sql).await?;
        self.client.query(&statement, values).await.map_err(fault)
    }

    pub(crate) async fn row(
        &self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The one row that there always is.
    pub(crate) async fn one(
        &self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<Row, StoreError> {
        let statement = self.ready(sql).await?;
        let row = self.client.query_one(&statement, values).await;
        row.map_err(fault)
    }

    /// How many rows it changed.
    pub(crate) async fn change(
        &self,
        sql: &'static str,
        values: Values<'_>,
    ) -> Result<u64, StoreError> {
        let statement = self.ready(sql).await?;
        self.client.execute(&statement, values).await.map_err(fault)
    }
}

/// A place for one session. Dropping it ends the session.
pub(crate) struct Line {
    database: Arc<Database>,
    keeps: Keeps,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    pause: Duration,
    /// It is not tried again before, unless another line reached the server meanwhile.
    again: Option<(Instant, u64, StoreError)>,
}

impl Line {
    pub(crate) fn new(database: &Arc<Database>, keeps: Keeps) -> Self {
        Self {
            database: Arc::clone(database),
            keeps,
            state: tokio::sync::Mutex::default(),
        }
    }

    /// The session, a new one where the last has ended.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, StoreError> {
        let mut state = self.state.lock().await;
        if let Some(session) = &state.session {
            if !session.client.is_closed() {
                return Ok(Arc::clone(session));
            }
            state.session = None;
        }
        let reached = self.database.reached.load(Ordering::Relaxed);
        if let Some((again, then, fault)) = &state.again
            && Instant::now() < *again
            && *then == reached
        {
            return Err(fault.clone());
        }
        match self.database.connect(self.keeps, None).await {
            Ok(client) => {
                let ready = Mutex::default();
                let session = Arc::new(Session { client, ready });
                *state = State {
                    session: Some(Arc::clone(&session)),
                    ..State::default()
                };
                Ok(session)
            }
            Err(fault) => {
                state.pause = (2 * state.pause).clamp(PAUSE, PAUSE_MOST);
                state.again = Some((Instant::now() + state.pause, reached, fault.clone()));
                Err(fault)
            }
        }
    }

    /// Gives up a session that does not answer any more.
    pub(crate) async fn drop_session(&self) {
        self.state.lock().await.session = None;
    }
}
