//! What happens to alice's mails on their way to bob.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use packmule_bus::Kind;
use packmule_bus::link::{Collected, LinkError, Mailbox};
use packmule_bus::{Envelope, EnvelopeId};
use packmule_mail::{Address, Login, Outbox, Protocol, Server, Tls, compose};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::stage::{Stage, newcomer};

fn jwe(word: &str) -> Vec<u8> {
    format!("{{\"protected\":\"e30\",\"encrypted_key\":\"AAAA\",\"iv\":\"AAAA\",\"ciphertext\":\"{word}\",\"tag\":\"AAAA\"}}").into_bytes()
}

fn id(bytes: &[u8]) -> EnvelopeId {
    Envelope::from_packed(bytes).expect("a message").id()
}

async fn next(mailbox: &dyn Mailbox) -> Collected {
    let came = timeout(Duration::from_secs(30), mailbox.collect()).await;
    came.expect("in time").expect("a message")
}

async fn nothing(mailbox: &dyn Mailbox) {
    let came = timeout(Duration::from_millis(1500), mailbox.collect()).await;
    assert!(came.is_err(), "something came");
}

/// Puts a mail into Postfix's hands as it is.
async fn hand_in(stage: &Stage, whom: &str, mail: &str) {
    let port = stage.server.ports().smtp;
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("Postfix");
    let mail = mail.replace("\r\n", "\n").replace('\n', "\r\n");
    let words = format!(
        "EHLO x\r\nMAIL FROM:<alice@kiosk.test>\r\nRCPT TO:<{whom}>\r\nDATA\r\n{mail}\r\n.\r\nQUIT\r\n"
    );
    for line in words.split_inclusive("DATA\r\n") {
        stream.write_all(line.as_bytes()).await.expect("said");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.expect("answers");
    assert!(heard.contains("queued as"), "{heard}");
}

/// Waits until this is so.
async fn so(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn by_hand(body: &str) -> String {
    format!(
        "Message-ID: <0c1ad4e2@kiosk.test>\nMIME-Version: 1.0\nUser-Agent: Mozilla Thunderbird\nTo: Bob <bob@edge.test>\nFrom: Alice <alice@kiosk.test>\nSubject: for you\nContent-Type: multipart/mixed; boundary=\"------------R0aGc9\"\n\nThis is a multi-part message in MIME format.\n--------------R0aGc9\nContent-Type: text/plain; charset=UTF-8; format=flowed\nContent-Transfer-Encoding: 8bit\n\nHallo Bob, Grüße!\n\n--------------R0aGc9\nContent-Type: application/octet-stream; name=\"for bob.dcem\"\nContent-Disposition: attachment; filename=\"for bob.dcem\"\nContent-Transfer-Encoding: base64\n\n{body}\n--------------R0aGc9--\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alice_writes_to_bob() {
    let stage = Stage::set().await;
    idle_tells_at_once(&stage).await;
    by_tls_and_login(&stage).await;
    what_people_and_lists_do(&stage).await;
    ten_megabytes(&stage).await;
    what_servers_refuse(&stage).await;
    a_second_copy_is_put_away_unread(&stage).await;
    without_idle_and_after_a_restart(&stage).await;
    what_is_fetched_is_compressed(&stage).await;
    servers_that_cannot_move(&stage).await;
}

async fn idle_tells_at_once(stage: &Stage) {
    let mailbox = stage.account("bob@edge.test").open().await.expect("in");
    let told = stage.account("bob@edge.test").greet().await.expect("in");
    for able in ["IDLE", "moves", "compresses"] {
        assert!(told.contains(able), "{able}: {told}");
    }
    // The wait for news has begun when the mail is sent.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let way = stage.way("bob@edge.test").await;
    let began = Instant::now();
    way.deliver(jwe("SGVsbG8"), Kind::Encrypted)
        .await
        .expect("taken");
    let came = next(&*mailbox).await;
    // Asked every minute it would take longer.
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    println!("mail to mailbox by IDLE: {:?}", began.elapsed());
    assert_eq!(came.bytes, jwe("SGVsbG8"));
    assert_eq!(id(&came.bytes), id(&jwe("SGVsbG8")));
    assert_eq!(
        stage.server.mails("bob@edge.test", "").len(),
        1,
        "before it is settled"
    );
    came.settle.settle().await.expect("put away");
    assert_eq!(stage.server.mails("bob@edge.test", "").len(), 0);
    assert_eq!(stage.server.mails("bob@edge.test", "DIDComm").len(), 1);
}

async fn by_tls_and_login(stage: &Stage) {
    let ports = stage.server.ports();
    let login = |password: &str| {
        let password = Zeroizing::new(password.to_owned());
        Login::new("alice@kiosk.test", password)
    };
    let alice = || Address::parse("alice@kiosk.test").unwrap();
    let bob = [Address::parse("relay@kiosk.test").unwrap()];
    for (url, imap) in [
        (
            format!("smtp://localhost:{}", ports.submission),
            format!("imap://localhost:{}", ports.imap),
        ),
        (
            format!("smtps://localhost:{}", ports.smtps),
            format!("imaps://localhost:{}", ports.imaps),
        ),
    ] {
        let outbox = |login, tls| {
            let server = Server::parse(&url, Protocol::Smtp, false, login, tls).unwrap();
            Outbox::new(server, alice())
        };
        let word = jwe(if url.starts_with("smtps") {
            "BBBB"
        } else {
            "AAAA"
        });
        outbox(login("pw"), stage.trust())
            .send(&word, &bob)
            .await
            .expect("taken");
        let wrong = outbox(login("pv"), stage.trust()).send(&word, &bob).await;
        assert!(matches!(wrong, Err(LinkError::Busy(_))), "{wrong:?}");
        let stranger = Arc::new(Tls::default());
        let wrong = outbox(login("pw"), stranger)
            .send(&word, &bob)
            .await
            .expect_err("unknown");
        assert!(
            wrong.to_string().contains("certificate") || wrong.to_string().contains("authorities"),
            "{wrong}"
        );
        let mut account = stage.account("relay@kiosk.test");
        let relay = Login::new("relay@kiosk.test", Zeroizing::new("pw".to_owned()));
        account.server = Server::parse(&imap, Protocol::Imap, false, relay, stage.trust()).unwrap();
        let mailbox = account.open().await.expect("lets us in");
        let came = next(&*mailbox).await;
        assert_eq!(came.bytes, word);
        came.settle.settle().await.expect("put away");
        account.server =
            Server::parse(&imap, Protocol::Imap, false, login("pv"), stage.trust()).unwrap();
        let wrong = account.greet().await.expect_err("a wrong password");
        assert!(!wrong.contains("pv") && !wrong.contains("alice"), "{wrong}");
    }
}

async fn what_people_and_lists_do(stage: &Stage) {
    let whom = newcomer(100);
    let account = stage.account(&whom);
    let lunch = "From: carol@kiosk.test\nSubject: lunch?\n\nAt one?\n";
    hand_in(stage, &whom, lunch).await;
    let body = data_encoding::BASE64_MIME.encode(&jwe("AAAA"));
    hand_in(stage, &whom, &by_hand(&body)).await;
    let alice = Address::parse("alice@kiosk.test").unwrap();
    let ours = |word: &str| {
        let letter = compose(&jwe(word), &alice, std::slice::from_ref(&alice), 0);
        String::from_utf8(letter.expect("a message").bytes).unwrap()
    };
    let end = "\r\n--=_";
    let listed = ours("BBBB");
    let at = listed.rfind(end).expect("an end");
    let listed = format!(
        "{}\r\n____\r\nvillage list\r\n{}",
        &listed[..at],
        &listed[at..]
    );
    hand_in(stage, &whom, &listed).await;
    let damaged = ours("CCCC").replace("CCCC", "CCCD");
    hand_in(stage, &whom, &damaged).await;
    hand_in(
        stage,
        &whom,
        &by_hand("JVBERi0xLjcK").replace("for bob.dcem", "invoice.pdf"),
    )
    .await;
    let mailbox = account.open().await.expect("in");
    for _ in 0..2 {
        let came = next(&*mailbox).await;
        assert!([jwe("AAAA"), jwe("BBBB")].contains(&came.bytes));
        came.settle.settle().await.expect("put away");
    }
    nothing(&*mailbox).await;
    let left = stage.server.mails(&whom, "");
    let has = |word: &str| {
        left.iter()
            .any(|mail| String::from_utf8_lossy(mail).contains(word))
    };
    assert_eq!(left.len(), 3, "foreign and damaged mail stays");
    assert!(has("At one?") && has("invoice.pdf") && has("CCCD"));
}

async fn ten_megabytes(stage: &Stage) {
    let whom = newcomer(101);
    let mailbox = stage.account(&whom).open().await.expect("in");
    let large = jwe(&"AbC-".repeat(10_000_000 / 4));
    let way = stage.way(&whom).await;
    let began = Instant::now();
    way.deliver(large.clone(), Kind::Encrypted)
        .await
        .expect("taken");
    let sent = began.elapsed();
    let came = next(&*mailbox).await;
    println!("10 MB: sent in {sent:?}, read after {:?}", began.elapsed());
    assert!(came.bytes == large, "{} bytes came", came.bytes.len());
    came.settle.settle().await.expect("put away");
    let wire = stage.server.mails(&whom, "DIDComm")[0].len();
    println!(
        "10 MB: {wire} bytes of mail, {:.4} for each",
        wire as f64 / large.len() as f64
    );
    assert!(wire as f64 <= large.len() as f64 * 1.05);
}

async fn what_servers_refuse(stage: &Stage) {
    let ports = stage.server.ports();
    let to = |whom: &str| [Address::parse(whom).unwrap()];
    let small = stage.outbox(ports.small);
    let large = jwe(&"A".repeat(1_000_000));
    let fault = small
        .send(&large, &to("bob@edge.test"))
        .await
        .expect_err("552");
    assert!(
        matches!(fault, LinkError::TooLarge { limit: 100_000, .. }),
        "{fault}"
    );
    let moody = stage.outbox(ports.moody);
    for (whom, answer) in [
        ("grey@edge.test", "451 4.7.1 greylisted, come again"),
        ("full@edge.test", "452 4.2.2 mailbox full"),
        ("liar@edge.test", "550 5.5.0 come again"),
    ] {
        stage.server.mood(whom, 2, answer);
        for _ in 0..2 {
            let fault = moody.send(&jwe("AAAA"), &to(whom)).await.expect_err(whom);
            assert!(matches!(fault, LinkError::Busy(_)), "{whom}: {fault}");
        }
        moody
            .send(&jwe("AAAA"), &to(whom))
            .await
            .expect("the mood has passed");
    }
    stage
        .server
        .mood("gone@edge.test", 9, "550 5.1.1 nobody of this name");
    let fault = moody
        .send(&jwe("AAAA"), &to("gone@edge.test"))
        .await
        .expect_err("gone");
    assert!(matches!(fault, LinkError::Refused(_)), "{fault}");
}

async fn a_second_copy_is_put_away_unread(stage: &Stage) {
    let whom = newcomer(102);
    let mailbox = stage.account(&whom).open().await.expect("in");
    let way = stage.way(&whom).await;
    way.deliver(jwe("AAAA"), Kind::Encrypted)
        .await
        .expect("taken");
    next(&*mailbox)
        .await
        .settle
        .settle()
        .await
        .expect("put away");
    way.deliver(jwe("AAAA"), Kind::Encrypted)
        .await
        .expect("taken");
    way.deliver(jwe("BBBB"), Kind::Encrypted)
        .await
        .expect("taken");
    let came = next(&*mailbox).await;
    assert_eq!(came.bytes, jwe("BBBB"));
    came.settle.settle().await.expect("put away");
    nothing(&*mailbox).await;
    assert_eq!(stage.server.mails(&whom, "DIDComm").len(), 3);
}

async fn without_idle_and_after_a_restart(stage: &Stage) {
    let whom = newcomer(103);
    let place = tempfile::tempdir().expect("a folder");
    let mut account = stage.account(&whom);
    account.memory = Some(place.path().join("mail"));
    account.poll = Duration::from_millis(100);
    account.news = false;
    hand_in(
        stage,
        &whom,
        "From: carol@kiosk.test\nSubject: lunch?\n\nAt one?\n",
    )
    .await;
    so("carol's is the first", || {
        stage.server.mails(&whom, "").len() == 1
    })
    .await;
    let mailbox = account.open().await.expect("in");
    let way = stage.way(&whom).await;
    way.deliver(jwe("AAAA"), Kind::Encrypted)
        .await
        .expect("taken");
    let held = next(&*mailbox).await;
    way.deliver(jwe("BBBB"), Kind::Encrypted)
        .await
        .expect("taken");
    next(&*mailbox)
        .await
        .settle
        .settle()
        .await
        .expect("put away");
    tokio::time::sleep(Duration::from_millis(500)).await;
    // What is out, and not settled, is not passed over.
    let remembered = || std::fs::read_to_string(place.path().join("mail")).unwrap();
    assert!(remembered().starts_with("2 "), "{}", remembered());
    drop((held, mailbox));
    let mailbox = account.open().await.expect("in");
    let again = next(&*mailbox).await;
    assert_eq!(again.bytes, jwe("AAAA"));
    again.settle.settle().await.expect("put away");
    so("both are passed over", || remembered().starts_with("3 ")).await;
}

/// Passes connections on, and counts what comes back.
async fn counting(to: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", to)).await.expect("there");
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let ((mut up, mut down), (mut back, mut there)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut up, &mut there).await });
                let mut chunk = [0; 4096];
                while let Ok(read @ 1..) = back.read(&mut chunk).await {
                    counted.fetch_add(read, SeqCst);
                    if down.write_all(&chunk[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, count)
}

async fn what_is_fetched_is_compressed(stage: &Stage) {
    let whom = newcomer(104);
    let (port, came_back) = counting(stage.server.ports().imap).await;
    let mut account = stage.account(&whom);
    let login = Login::new(&whom, Zeroizing::new("pw".to_owned()));
    let url = format!("imap://127.0.0.1:{port}");
    account.server = Server::parse(&url, Protocol::Imap, true, login, Arc::default()).unwrap();
    let mailbox = account.open().await.expect("in");
    let letter = jwe(&"AbC-".repeat(250_000));
    let way = stage.way(&whom).await;
    way.deliver(letter.clone(), Kind::Encrypted)
        .await
        .expect("taken");
    let came = next(&*mailbox).await;
    assert!(came.bytes == letter, "{} bytes came", came.bytes.len());
    came.settle.settle().await.expect("put away");
    let bytes = came_back.load(SeqCst);
    assert!(bytes * 4 < letter.len(), "{bytes} bytes over the wire");
}

/// A mail is copied and deleted where it cannot be moved; where that would delete what others have
/// marked too, it is marked only. Neither comes again.
async fn servers_that_cannot_move(stage: &Stage) {
    for (number, place, left) in [
        (105, stage.server.old_imap(), 0),
        (106, stage.server.ancient_imap(), 1),
    ] {
        let whom = newcomer(number);
        let mut account = stage.account(&whom);
        let login = Login::new(&whom, Zeroizing::new("pw".to_owned()));
        let url = format!("imap://{place}");
        account.server = Server::parse(&url, Protocol::Imap, true, login, Arc::default()).unwrap();
        account.poll = Duration::from_millis(100);
        let told = account.greet().await.expect("in");
        assert!(told.contains("copies and deletes"), "{told}");
        assert!(!told.contains("compresses"), "{told}");
        assert_eq!(told.contains("IDLE"), number == 105, "{told}");
        let mailbox = account.open().await.expect("in");
        let way = stage.way(&whom).await;
        for word in ["AAAA", "BBBB"] {
            way.deliver(jwe(word), Kind::Encrypted)
                .await
                .expect("taken");
        }
        for _ in 0..2 {
            let came = next(&*mailbox).await;
            came.settle.settle().await.expect("put away");
        }
        nothing(&*mailbox).await;
        assert_eq!(stage.server.mails(&whom, "DIDComm").len(), 2);
        assert_eq!(stage.server.mails(&whom, "").len(), left * 2);
        drop(mailbox);
        let mailbox = account.open().await.expect("in");
        nothing(&*mailbox).await;
    }
}
