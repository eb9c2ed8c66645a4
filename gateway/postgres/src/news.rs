//! What other gateways stored, told by the server.
//!
//! Called by [`crate::PostgresStore`]. After a commit the accounts that got something are told by
//! `NOTIFY`, on the session whose commits need not be on the disk: nobody who waits for a commit
//! waits for this. Another session hears what others tell. What can go wrong: what is told while
//! nobody hears is lost. It only wakes up whoever looks in any case, and after each gap it is
//! said that there may be news of anybody.

use std::sync::Arc;
use std::time::Duration;

use packmule_gateway::store::News;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_postgres::AsyncMessage;

use crate::connect::{Database, Line};

/// The pause after the server was away.
const PAUSE: Duration = Duration::from_secs(2);
/// News that wait for whoever hears them. What is more is found by looking.
const WAITING: usize = 1024;
/// No payload is longer; longer DIDs are found by looking.
const LONGEST: usize = 7900;

/// Tells others of accounts, as long as there is a store. `me` keeps what we told ourselves from
/// coming back to us.
pub(crate) async fn tell(line: Line, me: String, mut stored: mpsc::UnboundedReceiver<Vec<String>>) {
    let sql = "SELECT pg_notify('packmule_news', $1::text || ' ' || account)
        FROM unnest($2::text[]) AS told (account)";
    while let Some(mut accounts) = stored.recv().await {
        while let Ok(more) = stored.try_recv() {
            accounts.extend(more);
        }
        accounts.retain(|account| account.len() < LONGEST);
        accounts.sort_unstable();
        accounts.dedup();
        let Ok(db) = line.session().await else {
            continue;
        };
        // Whoever did not hear it looks.
        let _ = db.change(sql, &[&me, &accounts]).await;
    }
}

/// Hears what others tell, as long as somebody wants to know.
pub(crate) fn hear(database: Arc<Database>, me: String) -> mpsc::Receiver<News> {
    let (news, heard) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while !news.is_closed() {
            let (told, mut telling) = mpsc::unbounded_channel();
            if let Ok(_client) = database.listen(told).await {
                let _ = news.try_send(News::Perhaps);
                loop {
                    let message = tokio::select! {
                        message = telling.recv() => message,
                        () = news.closed() => return,
                    };
                    let Some(message) = message else { break };
                    if let AsyncMessage::Notification(told) = message
                        && let Some((who, account)) = told.payload().split_once(' ')
                        && who != me
                    {
                        // Full: whoever hears looks before long.
                        let _ = news.try_send(News::Of(account.to_owned()));
                    }
                }
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = news.closed() => return,
            }
        }
    });
    heard
}
